import numpy as np
import pytest
from pydantic import Field

from byoc_kit.core.params import Params
from byoc_kit.verification.replay import Fault, Outcome, Replay, Task


class Tint(Params):
    gain: float = Field(1.0, ge=0, le=4)


def brighter(frame, params: Tint):
    return (frame.pixels // 2 * params.gain).astype(np.uint8)


def outcomes(replay):
    return "".join(frame.outcome[0] for frame in replay.frames)


def test_every_frame_runs_and_those_asked_for_are_kept(replayed):
    replay = replayed(brighter, params={"gain": 2}, kept=(0, 9))
    assert outcomes(replay) == "m" * 10
    assert [replay.pixels(number) is not None for number in range(10)] == [True, *[False] * 8, True]
    assert replay.pixels(9).shape == (48, 64, 3)
    assert replay.params == {"gain": 2.0}
    assert len({frame.sha256 for frame in replay.frames}) == 10
    assert replay.took_ms().keys() == {"p50", "p95"}


def test_a_frame_may_be_dropped_and_one_that_raises_lets_the_original_through(replayed):
    seen = []

    def moody(frame):
        seen.append(frame.pts)
        if len(seen) == 3:
            return None
        if len(seen) == 5:
            frame.pixels[:] = 0
            raise ValueError("no\nmore")
        return frame

    replay, untouched = replayed(moody), replayed(lambda frame: frame, "other")
    assert outcomes(replay) == "mmdmrmmmmm"
    assert replay.pixels(2) is None
    assert replay.frames[4].error == "ValueError: no more (here)"
    assert replay.frames[4].sha256 == untouched.frames[4].sha256
    assert np.array_equal(replay.pixels(4), untouched.pixels(4))


def test_async_hooks_run_in_the_order_of_a_stream(replayed):
    calls = []

    async def load_model():
        calls.append("load")

    async def on_stream_start(params):
        calls.append(params.gain)

    async def process_frame(frame, params: Tint):
        calls.append("frame")
        return frame

    def on_stream_stop():
        calls.append("stop")

    hooks = {"load_model": load_model, "on_stream_start": on_stream_start, "on_stream_stop": on_stream_stop}
    assert replayed(process_frame, params={"gain": 3}, **hooks).fault is None
    assert calls == ["load", 3, *["frame"] * 10, "stop"]


def test_another_size_is_reported(replayed):
    replay = replayed(lambda frame: frame.pixels[:20, :30])
    assert replay.frames[0].size == "30x20"
    assert replay.pixels(0).shape == (20, 30, 3)


@pytest.mark.parametrize("hook", ["load_model", "on_stream_start", "on_stream_stop"])
def test_any_other_hook_that_raises_ends_it(replayed, hook):
    def broken(*_):
        raise SystemExit(3)

    replay = replayed(brighter, **{hook: broken})
    assert replay.fault is Fault.RUN
    assert replay.failure.startswith(f"{hook} raises ")
    assert "SystemExit: 3" in replay.failure
    assert replay.frames == ()


def test_a_parameter_that_does_not_fit_is_reported(replayed):
    replay = replayed(brighter, params={"gain": 9})
    assert (replay.fault, replay.failure) == (Fault.PARAMS, "gain: Input should be less than or equal to 4")


def test_tasks_and_replays_come_back_from_their_files(make_task, replayed):
    task = make_task(gain=2.0)
    assert Task.load(task.save()) == task
    replay = replayed(brighter, params={"gain": 2.0})
    assert Replay.load(task.folder) is None
    replay.save()
    assert Replay.load(task.folder) == replay
    broken = Replay.broken(task, Fault.LOAD, "no")
    broken.save()
    assert Replay.load(task.folder) == broken
    assert broken.count(Outcome.MADE) == 0
