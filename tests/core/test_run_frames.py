import threading

import numpy as np
import pytest

from byoc_kit import stream_state
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import run_frames
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.still_preview import StillPreview


class Log:
    """Hooks that note their order and threads; the one named ``fails`` raises."""

    def __init__(self, fails=""):
        self.calls = []
        self.fails = fails

    def note(self, name):
        self.calls.append((name, threading.current_thread().name, threading.get_ident()))
        if name == self.fails:
            raise ValueError(name)

    @property
    def names(self):
        return [name for name, _, _ in self.calls]

    def hooks(self):
        def process_frame(frame):
            self.note("process_frame")
            return frame

        return Hooks.of(
            process_frame,
            load_model=lambda: self.note("load_model"),
            on_stream_start=lambda params: self.note("on_stream_start"),
            on_stream_stop=lambda: self.note("on_stream_stop"),
        )


def frames(count):
    return [VideoFrame.from_pixels(np.full((4, 6, 3), n, np.uint8), n) for n in range(count)]


def run(log, count=2, **options):
    ran = []
    options = {"take": ran.append, **options}
    run_frames(FrameProcessor(log.hooks()), frames(count), Params(), **options)
    return ran


def test_hooks_run_in_the_containers_order_and_each_on_its_thread():
    ran = run(log := Log())
    assert log.names == ["load_model", "on_stream_start", "process_frame", "process_frame", "on_stream_stop"]
    assert [name for _, name, _ in log.calls] == log.names
    idents = {ident for name, _, ident in log.calls if name == "process_frame"}
    assert len(idents) == 1
    assert threading.get_ident() not in {ident for _, _, ident in log.calls}
    assert [each.output.pts for each in ran] == [0, 1]


def test_a_frame_that_raises_ends_nothing_and_what_it_raised_is_with_it():
    ran = run(log := Log(fails="process_frame"))
    assert log.names[-2:] == ["process_frame", "on_stream_stop"]
    assert [type(each.error) for each in ran] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="process_frame"):
        ran[0].result()


@pytest.mark.parametrize("fails", ["load_model", "on_stream_start", "on_stream_stop"])
def test_what_another_hook_raises_ends_it_and_the_stream_is_stopped_where_it_began(fails):
    began = []
    with pytest.raises(ValueError, match=fails):
        run(log := Log(fails=fails), on_hook=began.append)
    assert began[-1] == fails
    assert log.names.count("on_stream_stop") == (0 if fails == "load_model" else 1)


def test_the_stream_is_stopped_where_whoever_takes_the_results_raises():
    def take(ran):
        ran.result()

    with pytest.raises(ValueError, match="process_frame"):
        run(log := Log(fails="process_frame"), take=take)
    assert log.names[-2:] == ["process_frame", "on_stream_stop"]


def test_no_thread_stays():
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="on_stream_stop"):
        run(Log(fails="on_stream_stop"))
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


class Notebook(Version):
    """A version with the hooks of a log, as a notebook's namespace would give them."""

    def __init__(self, log):
        super().__init__(log.hooks().process_frame)
        self.hooks = log.hooks()


def test_the_still_preview_runs_the_hooks_on_the_same_threads():
    StillPreview(Notebook(log := Log()), "synthetic:ball", width=64, frames=2)
    assert log.names == ["load_model", "on_stream_start", "process_frame", "process_frame", "on_stream_stop"]
    assert [name for _, name, _ in log.calls] == log.names


def test_the_live_preview_runs_the_other_hooks_on_threads_of_their_own():
    version = Notebook(log := Log())
    for frame in frames(2):
        version.process(frame, Params())
    version.end_stream()
    assert log.names == ["load_model", "on_stream_start", "process_frame", "process_frame", "on_stream_stop"]
    others = {name for name, thread, _ in log.calls if thread == name}
    assert others == {"load_model", "on_stream_start", "on_stream_stop"}


def test_the_still_preview_keeps_one_stream_state_from_start_to_stop():
    seen = []

    def process_frame(frame):
        stream_state().frames += 1
        return frame

    version = Version(process_frame)
    version.hooks = Hooks.of(
        process_frame,
        on_stream_start=lambda params: stream_state(frames=0),
        on_stream_stop=lambda: seen.append(stream_state().frames),
    )
    StillPreview(version, "synthetic:ball", width=64, frames=3)
    assert seen == [3]
