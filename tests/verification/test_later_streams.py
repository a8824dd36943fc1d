import threading
from dataclasses import replace

import numpy as np
import pytest

from byoc_kit import stream_state
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.verification.isolated import _run
from byoc_kit.verification.later_streams import Memory
from byoc_kit.verification.replay import Replay, replay
from byoc_kit.verification.result import Limits, Result

NOTHING = Memory()
RESET = "keep what belongs to a stream in byoc_kit.stream_state(), or reset it in on_stream_start"


def failing(said):
    return Memory(said, is_failure=True)


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


def second_stream(replayed):
    """Return the value of the line on it, and whether it is met."""
    [check] = [one for one in Result(Limits(0.9, 30.0), module=replayed).checks() if one.name == "second stream"]
    return check.value, check.is_met


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


def test_the_progress_never_goes_back_without_naming_the_next_stream(make_task):
    task = replace(make_task(), max_diff=0)
    task.save()
    said = [task.progress(of=10)]

    def process_frame(frame):
        said.append(task.progress(of=10))
        return frame

    def fresh():
        return FrameProcessor(Hooks.of(process_frame))

    replay(fresh(), task, lambda *_: "here", make_fresh=fresh)
    later = [f"{stream} stream, {done} of 8 frames" for stream in ("second", "third") for done in range(1, 9)]
    own = [f"{done} of 10 frames" for done in range(11)]
    assert list(dict.fromkeys([*said, task.progress(of=10)])) == [*own, *later]


def test_what_is_reset_is_not_remembered(memory):
    assert memory(remembering(resets=True)) == NOTHING
    assert memory(lambda: {"process_frame": lambda frame: frame}) == NOTHING


def test_what_is_kept_in_the_streams_state_is_not_remembered(memory):
    def process_frame(frame):
        state = stream_state(before=frame.pixels // 2)
        changed = np.maximum(frame.pixels, state.before)
        state.before = frame.pixels // 2
        return changed

    assert memory(lambda: {"process_frame": process_frame}) == NOTHING


def test_a_picture_of_another_size_that_is_remembered_raises(memory):
    assert memory(remembering(resets=False)) == failing(
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

    found = memory(make)
    assert found.said.startswith("frame 0 is up to ")
    assert found.said.endswith(f" of 255 from that of the first stream; if you do not want that, {RESET}")
    assert not found.is_failure
    assert memory(make, max_diff=255) == NOTHING


def test_a_size_that_no_stream_could_have_is_no_memory(memory):
    def process_frame(frame):
        if frame.width != 64:
            raise ValueError("64 pixels a row, please")
        return frame

    assert memory(lambda: {"process_frame": process_frame}) == NOTHING


def test_a_second_stream_that_does_not_start_is_reported(memory):
    def make():
        started = []

        def on_stream_start(_):
            if started:
                raise RuntimeError("already started")
            started.append(1)

        return {"process_frame": lambda frame: frame, "on_stream_start": on_stream_start}

    assert memory(make) == failing("it does not start: on_stream_start raises RuntimeError: already started (here)")


def test_frames_that_are_dropped_or_raise_are_compared_too(memory):
    def make():
        seen = []

        def process_frame(frame):
            seen.append(1)
            if len(seen) == 11:
                raise KeyError("again")
            return None if len(seen) == 3 else frame

        return {"process_frame": process_frame}

    assert memory(make) == failing(f"frame 0 raises KeyError: 'again' (here); {RESET}")


def test_the_model_is_loaded_once_and_all_streams_have_one_thread(memory):
    calls, threads = [], set()

    def process_frame(frame):
        threads.add(threading.current_thread())
        return frame

    def make():
        names = ("load_model", "on_stream_start", "on_stream_stop")
        return {"process_frame": process_frame, **{name: lambda *_, name=name: calls.append(name) for name in names}}

    assert memory(make) == NOTHING
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
    assert "8 of 8 frames raise ValueError" in found.memory.said
    assert "(effects.ipynb, cell 2, line 7)" in found.memory.said
    assert second_stream(found) == (found.memory.said, False)
    found.save()
    assert Replay.load(found.folder) == found


def test_a_generator_that_goes_on_from_stream_to_stream_does_not_fall_short(export, make_task):
    flow = (
        "import numpy as np\n\nrandom = np.random.default_rng(0)\n\n\ndef process_frame(frame):\n"
        "    return frame.pixels // 2 + random.integers(0, 40, frame.pixels.shape, dtype=np.uint8)"
    )
    task = replace(make_task(), max_diff=0)
    task.save()
    value, is_met = second_stream(_run(task, export(flow)))
    assert "of 255 from that of the first stream; if you do not want that" in value
    assert is_met


def test_a_model_that_cannot_be_loaded_twice_is_not_called_broken(make_task):
    def process_frame(frame):
        if frame.width != 64:
            raise ValueError("64 pixels a row, please")
        return frame

    def fresh():
        raise RuntimeError("out of memory")

    task = replace(make_task(), max_diff=0)
    task.save()
    found = replay(FrameProcessor(Hooks.of(process_frame)), task, lambda *_: "here", make_fresh=fresh)
    assert (len(found.frames), found.memory, found.failure) == (10, NOTHING, "")
