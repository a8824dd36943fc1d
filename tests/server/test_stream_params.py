import asyncio
import threading
from fractions import Fraction
from itertools import pairwise

import pytest
from pydantic import Field, field_validator

from byoc_kit.core.params import Params, ParamsError
from byoc_kit.server.stream_params import FrameLimiter, FrameRate, StreamParams, validated

DEADLINE_S = 20


class Look(Params):
    gain: float = Field(1.0, le=4.0)
    colour: str = "red"


async def updated(held, changes):
    taken = []
    await held.update(changes, timeout_s=DEADLINE_S, take=taken.append)
    return taken


def test_what_a_stream_starts_with_is_shown():
    held = StreamParams(Look, {"gain": 2, "width": 640})
    assert held.shown() == {"gain": 2.0, "colour": "red", "width": 640}


@pytest.mark.parametrize(
    ("changes", "field"), [({"gain": 9}, "gain"), ({"width": 3}, "width"), ({"nothing": 1}, "nothing")]
)
def test_what_does_not_fit_at_the_start_is_refused_by_its_name(changes, field):
    with pytest.raises(ParamsError) as caught:
        StreamParams(Look, changes)
    assert caught.value.field == field


async def test_a_change_is_handed_on_and_keeps_the_rest():
    held = StreamParams(Look, {"gain": 2})
    assert await updated(held, {"colour": "blue", "height": 480}) == [held.chosen]
    assert held.shown() == {"gain": 2.0, "colour": "blue", "height": 480}


async def test_a_change_that_is_refused_changes_nothing():
    held = StreamParams(Look, {"gain": 2})
    with pytest.raises(ParamsError):
        await updated(held, {"colour": "blue", "gain": 9})
    assert held.shown() == {"gain": 2.0, "colour": "red"}


async def test_changes_are_made_one_after_the_other():
    held = StreamParams(Look, {})
    await asyncio.gather(
        *(updated(held, {name: value}) for name, value in (("gain", 3), ("colour", "x"), ("width", 64)))
    )
    assert held.shown() == {"gain": 3.0, "colour": "x", "width": 64}


async def test_a_change_is_checked_again_where_a_swap_came_between():
    may_go, is_at = threading.Event(), threading.Event()

    class Slow(Params):
        gain: float = 1.0

        @field_validator("gain")
        @classmethod
        def waits(cls, value):
            is_at.set()
            may_go.wait(DEADLINE_S)
            return value

    held = StreamParams(Slow, {})
    updating = asyncio.create_task(updated(held, {"gain": 2}))
    await asyncio.to_thread(is_at.wait, DEADLINE_S)
    held.chosen = StreamParams(Look, {"colour": "blue"}).chosen
    may_go.set()
    await updating
    assert held.shown() == {"gain": 2.0, "colour": "blue"}


async def test_a_validator_that_hangs_is_given_up():
    may_go = threading.Event()
    with pytest.raises(ParamsError, match="a validator has not returned for 0 s"):
        await validated(may_go.wait, 0.01)
    may_go.set()


def test_parameters_are_carried_over_to_another_class(caplog):
    class Other(Params):
        gain: float = Field(1.0, le=2.0)
        colour: str = "green"

    params = StreamParams(Look, {"gain": 3, "colour": "blue"}).carried_over(Other, stream_id="s")
    assert params == Other(colour="blue")
    assert "stream s: a parameter does not fit any more (gain" in caplog.text


class Own(Params):
    max_framerate: int = 3


def kept(times, *rates):
    """Return which frames go on; the rate changes after each equal part."""
    limiter = FrameLimiter()
    part = -(-len(times) // len(rates))
    return [number for number, at_s in enumerate(times) if limiter.keeps(at_s, FrameRate(rates[number // part]))]


def at(fps, count=60):
    return [Fraction(number, fps) for number in range(count)]


def test_max_framerate_is_taken_out_of_the_parameters():
    assert FrameRate().updated({"max_framerate": 24, "gain": 2}, Params) == (FrameRate(24), {"gain": 2})
    assert FrameRate(24).updated({"max_framerate": None}, Params) == (FrameRate(), {})
    assert FrameRate(24).updated({"gain": 2}, Params) == (FrameRate(24), {"gain": 2})


def test_a_model_with_its_own_max_framerate_keeps_it():
    assert FrameRate().updated({"max_framerate": 5}, Own) == (FrameRate(), {"max_framerate": 5})


@pytest.mark.parametrize("value", [0, -1, 241, 24.5, "24", True, [24]])
def test_a_rate_that_does_not_fit_names_the_field(value):
    with pytest.raises(ParamsError, match=r"^max_framerate: must be a whole number of 1 to 240 frames a second"):
        FrameRate().updated({"max_framerate": value}, Params)


@pytest.mark.parametrize(
    ("fps", "most", "steps"),
    [(60, 30, {2}), (30, 10, {3}), (30, 20, {1, 2}), (25, 24, {1, 2}), (30, 30, {1}), (25, 60, {1})],
)
def test_frames_are_dropped_evenly(fps, most, steps):
    numbers = kept(at(fps, 4 * fps), most)
    assert {b - a for a, b in pairwise(numbers)} == steps
    assert len(numbers) == 4 * min(fps, most)


@pytest.mark.parametrize("fps", [30, Fraction(30_000, 1001), 25])
def test_times_in_milliseconds_drop_none_of_a_video_that_has_the_rate(fps):
    times = [Fraction(round(1000 * number / fps), 1000) for number in range(300)]
    assert len(kept(times, 30)) == 300


def test_a_jump_of_the_clock_either_way_drops_no_more_than_the_rate_asks():
    times = at(30, 30)
    for jump_s in (-100, 100):
        assert len(kept([*times, *(at_s + jump_s for at_s in times)], 15)) == 30


def test_a_new_rate_holds_from_the_next_frame_on():
    assert len(kept(at(30, 60), None, 10)) == 30 + 10
    assert len(kept(at(30, 60), 10, None)) == 10 + 30
