import asyncio
import threading
from typing import ClassVar

import pytest
from pydantic import model_validator
from server_rig import until

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params, ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stage import MAX_KINDS
from byoc_kit.server.metrics import Metrics
from byoc_kit.server.requests import StartRequest
from byoc_kit.server.sessions import BusyError, Sessions, Totals
from byoc_kit.server.settings import ServerSettings


class Look(Params):
    gain: float = 1.0


@pytest.fixture
async def sessions():
    made = []

    def make(capacity):
        made.append(
            Sessions(FrameProcessor(Hooks(lambda frame: frame, params_type=Look)), ServerSettings(), capacity=capacity)
        )
        return made[-1]

    yield make
    for one in made:
        await one.stop_all()


def request(**params):
    """Return a request for a stream without channels."""
    return StartRequest(gateway_request_id="x", params=params)


async def test_there_are_as_many_streams_as_there_are_places(sessions):
    it = sessions(2)
    for name in ("a", "b"):
        await it.start(name, request())
    with pytest.raises(BusyError, match="busy: 2 of 2 streams run; stop one first"):
        await it.start("c", request())
    assert await it.stop("a") == 1
    await it.start("c", request())
    assert [status["stream_id"] for status in it.status()] == ["b", "c"]
    assert it.ended["stream_id"] == "a"


async def test_a_name_is_given_once(sessions):
    it = sessions(2)
    await it.start("a", request())
    with pytest.raises(BusyError, match="a stream a runs already; stop it first"):
        await it.start("a", request())


async def test_a_parameter_that_does_not_fit_takes_no_place(sessions):
    it = sessions(1)
    with pytest.raises(ParamsError) as caught:
        await it.start("a", request(gain="much"))
    assert caught.value.field == "params.gain"
    assert not it.is_occupied
    await it.start("a", request(gain=2))


async def test_no_name_means_the_stream_that_runs_alone(sessions):
    it = sessions(2)
    assert await it.stop(None) == 0
    await it.start("a", request())
    assert await it.update_params(None, {"gain": 3})
    await it.start("b", request())
    assert not await it.update_params(None, {"gain": 4})
    assert await it.stop(None) == 0
    assert await it.stop("a") == 1
    assert await it.stop(None) == 1


async def test_nothing_starts_once_all_have_been_stopped(sessions):
    it = sessions(1)
    await it.start("a", request())
    await it.stop_all()
    assert not it.is_occupied
    with pytest.raises(BusyError, match="the server is stopping"):
        await it.start("b", request())


async def test_metrics_say_what_runs_and_what_has_run(sessions):
    it = sessions(3)
    metrics = Metrics(it)
    for name in ("a", "b"):
        await it.start(name, request())
    await it.stop("a")
    lines = metrics.render().decode().splitlines()
    assert {
        "byoc_kit_healthy 1.0",
        "byoc_kit_streams 1.0",
        "byoc_kit_capacity 3.0",
        "byoc_kit_streams_started_total 2.0",
        'byoc_kit_frames_total{state="in"} 0.0',
    } <= set(lines)


def test_kinds_of_failure_over_all_streams_are_bounded():
    totals = Totals()
    for number in range(3 * MAX_KINDS):
        totals.add({"failures": [{"error": f"Error{number}", "count": 2}]})
    totals.add({"failures": [{"error": "Error0", "count": 1}, {"error": "others", "count": 1}]})
    assert len(totals.failures) == MAX_KINDS + 1
    assert totals.failures["Error0"] == 3
    assert totals.failures["others"] == 2 * 2 * MAX_KINDS + 1


class Slow(Params):
    """Parameters that are checked once the test lets them."""

    may_pass: ClassVar[threading.Event] = threading.Event()

    @model_validator(mode="after")
    def _wait(self):
        assert self.may_pass.wait(10)
        return self


@pytest.mark.parametrize("named", ["a", None])
async def test_a_stream_that_is_stopped_before_it_runs_does_not_run(named):
    Slow.may_pass.set()
    it = Sessions(FrameProcessor(Hooks(lambda frame: frame, params_type=Slow)), ServerSettings())
    Slow.may_pass.clear()
    starting = asyncio.create_task(it.start("a", request()))
    await until(lambda: it._starting, "the stream is about to start")
    assert await it.stop("another") == 0
    assert await it.stop(named) == 1
    Slow.may_pass.set()
    with pytest.raises(BusyError, match="the stream a was stopped before it ran"):
        await starting
    assert (len(it), it.totals.started) == (0, 0)
    await it.start("a", request())
    await it.stop_all()
