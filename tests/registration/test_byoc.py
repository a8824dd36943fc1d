"""A BYOC capability against the local network's orchestrator, whose rules are go-livepeer's."""

from contextlib import asynccontextmanager

import aiohttp
import pytest
from registration_rig import CAPABILITY, Streams, Wire, answers, breaks_off, plan, running, until
from runner_rig import SECRET
from web_rig import DEADLINE_S, served

from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.registration.byoc import ByocCapability
from byoc_kit.registration.plan import Way
from byoc_kit.registration.report import State

AGAIN_AFTER_S = 0.02


@pytest.fixture
async def orchestrator():
    orchestrator = Orchestrator([], secret=SECRET)
    async with serve_orchestrator(orchestrator) as orchestrator.url:
        yield orchestrator


@pytest.fixture
async def wire(orchestrator):
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(orchestrator.url, timeout=timeout) as http:
        wire = Wire(http)
        async with served(wire.route()) as wire.url:
            yield wire


@asynccontextmanager
async def capability(url, streams=None, again_after_s=AGAIN_AFTER_S, **fields):
    a_plan = plan(url, Way.BYOC, **fields)
    async with running(ByocCapability, a_plan, streams or Streams(), again_after_s=again_after_s) as pair:
        yield pair


def registered(orchestrator):
    return [one.name for one in orchestrator.capabilities]


async def test_it_is_registered_with_an_integer_price_and_without_a_token_that_nobody_demands(orchestrator):
    async with capability(orchestrator.url) as (_, report):
        await until(lambda: report.is_registered)
        found = orchestrator.capabilities.find("tint")
    assert (found.url, found.capacity, found.price_per_unit, found.price_scaling) == (
        "http://container:8000",
        2,
        3000,
        1,
    )
    assert (found.currency, found.token) == ("wei", "")


async def test_the_token_that_the_container_demands_is_registered(orchestrator):
    async with capability(orchestrator.url, token="d3manded") as (_, report):  # noqa: S106
        await until(lambda: report.is_registered)
        assert orchestrator.capabilities.find("tint").token == "d3manded"  # noqa: S105


async def test_the_secret_is_sent_as_it_is_and_the_name_too(orchestrator, wire):
    async with capability(wire.url, again_after_s=60) as (member, report):
        await until(lambda: report.is_registered)
        await member.leave(5)
        assert report.state is State.LEFT
    assert {secret for _, secret, _ in wire.requests} == {SECRET}
    assert wire.requests[-1][::2] == ("/capability/unregister", b"tint")
    assert registered(orchestrator) == []


async def test_a_registration_whose_answer_was_lost_is_undone_as_well(orchestrator, wire):
    async def lost(request):
        body, headers = await request.read(), {"Authorization": request.headers["Authorization"]}
        async with wire.http.post(request.path, data=body, headers=headers):
            return await breaks_off(request)

    wire.faults = [lost, *[answers(503, "")] * 1000]
    async with capability(wire.url) as (member, report):
        await until(lambda: report.failures["http_503"])
        assert registered(orchestrator) == ["tint"]
        wire.faults = []
        await member.leave(5)
        assert registered(orchestrator) == []


async def test_an_orchestrator_that_has_forgotten_it_has_it_again_soon(orchestrator):
    async with capability(orchestrator.url) as (_, report):
        await until(lambda: report.is_registered)
        orchestrator.capabilities.forget_all()
        await until(lambda: registered(orchestrator) == ["tint"])
        assert report.registrations == 1
        await until(lambda: report.heartbeats >= 4)


async def test_while_a_stream_runs_it_is_not_registered_again(orchestrator):
    streams = Streams()
    async with capability(orchestrator.url, streams) as (_, report):
        await until(lambda: report.is_registered)
        streams.others = 1
        await until(lambda: orchestrator.capabilities.find("tint"))
        orchestrator.capabilities.count("tint", 1)
        looks = []
        streams.look = noting(streams.look, looks)
        before = report.heartbeats
        await until(lambda: len(looks) >= 4)
        assert report.heartbeats <= before + 1  # one may have been on its way
        streams.others = 0
        await until(lambda: report.heartbeats >= before + 3)


def noting(look, looks):
    async def noted():
        looks.append(1)
        return await look()

    return noted


@pytest.mark.parametrize(
    ("fault", "reason", "state"),
    [
        (answers(400, "invalid authorization\n"), "http_400", "refused"),
        (answers(502, "<html>", content_type="text/html"), "http_502", "unreachable"),
        (answers(200, "<html>", content_type="text/html"), "bad_answer", "unreachable"),
        (answers(307, "", headers={"Location": "http://elsewhere.example"}), "http_307", "unreachable"),
    ],
)
async def test_a_call_that_fails_is_tried_again_and_said_once(orchestrator, wire, caplog, fault, reason, state):
    wire.faults = [fault] * 3
    async with capability(wire.url) as (_, report):
        await until(lambda: report.failures[reason] == 3)
        await until(lambda: report.is_registered)
        assert registered(orchestrator) == ["tint"]
    assert sum("; trying again" in line for line in caplog.messages) == 1


async def test_a_wrong_secret_is_refused_as_go_livepeer_does_it(orchestrator):
    async with capability(orchestrator.url, secret="wr0ng") as (_, report):  # noqa: S106
        await until(lambda: report.failures["http_400"] >= 2)
        status = report.status()
    assert (status["state"], status["last_error"]) == ("refused", "HTTP 400: invalid authorization")
    assert CAPABILITY.model_id not in registered(orchestrator)
