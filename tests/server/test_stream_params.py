import asyncio
import threading

import pytest
from pydantic import Field, field_validator

from byoc_kit.core.params import Params, ParamsError
from byoc_kit.server.stream_params import StreamParams, validated

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


async def test_a_change_is_checked_anew_where_a_swap_came_between():
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
