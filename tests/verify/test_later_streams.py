import threading
from dataclasses import replace

import numpy as np
import pytest

from byoc_kit.processor import FrameProcessor, Hooks
from byoc_kit.verify.isolated import _run
from byoc_kit.verify.replay import replay
from byoc_kit.verify.result import Result
from byoc_kit.verify.streamed import Limits

RESET = "reset what is kept between frames in on_stream_start"


@pytest.fixture
def memory(make_task):
    """Say what a processor remembers; `make` makes its hooks, each time with nothing remembered."""

    def memory(make, *, max_diff=0):
        task = replace(make_task(), max_diff=max_diff)
        task.save()

        def fresh():
            return FrameProcessor(Hooks.of(**make()))

        found = replay(fresh(), task, lambda *_: "here", make_fresh=fresh)
        assert len(found.frames) == 10
        return found.memory

    return memory


def remembering(*, resets):
    """Make hooks that give the difference to the frame before; a first frame has none."""

    def make():
        before = []

        def process_frame(frame):
            now = frame.pixels.astype(np.int16)
            difference = now - before[0] if before else np.zeros_like(now)
            before[:] = [now]
            return np.abs(difference).astype(np.uint8)

        return {"process_frame": process_frame, "on_stream_start": lambda _: before.clear() if resets else None}

    return make


def test_what_is_reset_is_not_remembered(memory):
    assert memory(remembering(resets=True)) == ""
    assert memory(lambda: {"process_frame": lambda frame: frame}) == ""


def test_a_picture_of_another_size_that_is_remembered_raises(memory):
    assert memory(remembering(resets=False)) == (
        "at 32x24 after 64x48: 8 of 8 frames raise ValueError: operands could not be broadcast together with shapes "
        f"(24,32,3) (48,64,3) (here); {RESET}"
    )


def test_a_picture_of_the_same_size_that_is_remembered_shows(memory):
    def make():
        before = []

        def process_frame(frame):
            if not before or before[0].shape != frame.pixels.shape:
                before[:] = [frame.pixels]
            before[:] = [(before[0] // 2 + frame.pixels // 2).astype(np.uint8)]
            return before[0]

        return {"process_frame": process_frame}

    said = memory(make)
    assert said.startswith("frame 0 is up to ")
    assert said.endswith(f" of 255 from that of the first stream; {RESET}")
    assert memory(make, max_diff=255) == ""


def test_a_size_that_no_stream_could_have_is_no_memory(memory):
    def process_frame(frame):
        if frame.width != 64:
            raise ValueError("64 pixels a row, please")
        return frame

    assert memory(lambda: {"process_frame": process_frame}) == ""


def test_a_second_stream_that_does_not_start_is_said(memory):
    def make():
        started = []

        def on_stream_start(_):
            if started:
                raise RuntimeError("already started")
            started.append(1)

        return {"process_frame": lambda frame: frame, "on_stream_start": on_stream_start}

    assert memory(make) == "it does not start: on_stream_start raises RuntimeError: already started (here)"


def test_frames_that_are_dropped_or_raise_are_compared_too(memory):
    def make():
        seen = []

        def process_frame(frame):
            seen.append(1)
            if len(seen) == 11:
                raise KeyError("again")
            return None if len(seen) == 3 else frame

        return {"process_frame": process_frame}

    assert memory(make) == f"frame 0 raises KeyError: 'again' (here); {RESET}"


def test_the_model_is_loaded_once_and_all_streams_have_one_thread(memory):
    calls, threads = [], set()

    def process_frame(frame):
        threads.add(threading.current_thread())
        return frame

    def make():
        names = ("load_model", "on_stream_start", "on_stream_stop")
        return {"process_frame": process_frame, **{name: lambda *_, name=name: calls.append(name) for name in names}}

    assert memory(make) == ""
    assert calls == ["load_model", *["on_stream_start", "on_stream_stop"] * 3]
    assert len(threads) == 1


def test_the_exported_module_is_asked_and_its_cell_named(export, make_task):
    flow = (
        "before = None\n\n\ndef process_frame(frame):\n    global before\n    now = frame.pixels.astype('int16')\n"
        "    out = frame.pixels if before is None else abs(now - before).astype('uint8')\n"
        "    before = now\n    return out"
    )
    task = replace(make_task(), max_diff=0)
    task.save()
    found = _run(task, export(flow))
    assert "8 of 8 frames raise ValueError" in found.memory
    assert "(effects.ipynb, cell 2, line 7)" in found.memory
    [check] = [one for one in Result(Limits(0.9, 30.0), module=found).checks() if one.name == "second stream"]
    assert (check.value, check.is_met) == (found.memory, False)
