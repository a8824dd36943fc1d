"""A Live Runner against the local network's orchestrator, whose rules are go-livepeer's."""

import json

import pytest
from aiohttp import web
from registration_rig import INTERVAL_S, TTL_S, Streams, Wire, answers, breaks_off, live_runner, passes, plan, until
from runner_rig import SECRET, orchestrating
from web_rig import served

from byoc_kit.network.serving import self_signed
from byoc_kit.registration.live_runner import Membership
from byoc_kit.registration.pace import Pace
from byoc_kit.registration.report import State

HEARTBEAT = "/runners/heartbeat"


@pytest.fixture
async def network():
    """An orchestrator whose heartbeats come quickly, and an HTTP client at its address."""
    async with orchestrating(heartbeat_interval_s=INTERVAL_S, heartbeat_ttl_s=TTL_S) as pair:
        yield pair


@pytest.fixture
def live(network):
    return network[0]


@pytest.fixture
def url(network):
    return str(network[1]._base_url)


@pytest.fixture
async def wire(network):
    """What is between a container and the orchestrator; ``wire.url`` is its address."""
    wire = Wire(network[1])
    async with served(wire.route()) as wire.url:
        yield wire


def runner_of(live):
    [runner] = live.registry
    return runner


async def heartbeats(report, number=2):
    """Wait until as many heartbeats have been sent, besides those so far."""
    before = report.heartbeats
    await until(lambda: report.heartbeats >= before + number)


async def test_it_is_registered_with_all_that_the_capability_says(live, url):
    async with live_runner(plan(url, params_sha256="5bc6")) as (_, report):
        await until(lambda: report.is_registered)
        [shown] = live.registry.discovered()
        record = runner_of(live).record
    assert shown["app"] == "live-video-to-video/tint"
    assert (shown["capacity"], shown["mode"], shown["version"]) == (2, "persistent", "1.4.0")
    assert json.loads(shown["metadata"])["params_sha256"] == "5bc6"
    assert (record.label, record.runner_url, record.price_info.unit) == ("tint", "http://container:8000", "hour")


async def test_each_heartbeat_has_it_all_for_each_replaces_the_one_before(live, wire):
    async with live_runner(plan(wire.url, mode="single-shot"), Streams("session_a")) as (_, report):
        await until(lambda: report.heartbeats >= 4)
        bodies = [json.loads(body) for _, _, body in wire.requests]
    runner_id = runner_of(live).record.runner_id
    assert "runner_id" not in bodies[0] or bodies[0]["runner_id"] == ""
    first = {**bodies[0], "runner_id": runner_id, "session_ids": []}
    assert all({**body, "session_ids": []} == first for body in bodies[1:])
    assert first["mode"] == "single-shot"


async def test_the_secret_is_sent_once_and_the_one_it_was_given_from_then_on(live, wire):
    async with live_runner(plan(wire.url)) as (_, report):
        await until(lambda: report.heartbeats >= 3)
        secrets = [secret for _, secret, _ in wire.requests]
        assert secrets[0] == SECRET
        assert set(secrets[1:]) == {runner_of(live).heartbeat_secret}


async def test_its_sessions_live_as_long_as_it_sends_heartbeats(live, url):
    streams = Streams()
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        reserved = live.registry.reserve(runner_of(live).route)
        streams.session_ids.append(reserved.session_id)
        await heartbeats(report, 2 * int(TTL_S / INTERVAL_S))
        assert runner_of(live).session_ids() == [reserved.session_id]
    assert streams.ended == []


async def test_a_session_that_the_orchestrator_has_released_ends(live, url):
    live.faults.loses_messages = True  # so that only the answers can tell
    streams = Streams()
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        kept, released = (live.registry.reserve(runner_of(live).route).session_id for _ in range(2))
        streams.session_ids += [kept, released]
        await heartbeats(report)
        live.registry.release(runner_of(live).route, released)
        await until(lambda: streams.ended)
        await heartbeats(report)
    assert streams.ended == [released]


async def test_a_hint_brings_the_answer_at_once():
    async with orchestrating(heartbeat_interval_s=3600, heartbeat_ttl_s=7200) as (live, http):
        streams = Streams()
        async with live_runner(plan(str(http._base_url)), streams) as (_, report):
            await until(lambda: report.is_registered)
            session_id = live.registry.reserve(runner_of(live).route).session_id
            streams.session_ids.append(session_id)
            live.registry.release(runner_of(live).route, session_id)
            await until(lambda: streams.ended == [session_id])


async def test_a_session_that_starts_while_a_heartbeat_is_on_its_way_is_not_ended(live, wire):
    streams = Streams()
    started = []

    async def started_meanwhile(request):
        body = await request.read()
        headers = {"Authorization": request.headers["Authorization"]}
        async with wire.http.post(request.path, data=body, headers=headers) as response:
            answer = await response.read()  # it does not have the session yet
        started.append(live.registry.reserve(runner_of(live).route).session_id)
        streams.session_ids += started
        return web.Response(body=answer)

    wire.faults = [passes, started_meanwhile]
    async with live_runner(plan(wire.url), streams) as (_, report):
        await until(lambda: started)
        await heartbeats(report, 3)
    assert streams.ended == []


@pytest.mark.parametrize(
    "fault",
    [
        answers(401, "invalid heartbeat authorization"),
        answers(404, "runner not found"),
        answers(404, "<html>", content_type="text/html"),
        answers(502, "<html>", content_type="text/html"),
        answers(200, "<html>", content_type="text/html"),
        answers(200, '{"session_ids": null}'),
        answers(200, '{"session_ids": [1]}'),
        answers(302, "", headers={"Location": "http://elsewhere.example"}),
        breaks_off,
    ],
)
async def test_an_answer_that_was_not_the_orchestrators_costs_no_session(live, wire, fault):
    streams = Streams()
    async with live_runner(plan(wire.url), streams) as (_, report):
        await until(lambda: report.is_registered)
        session_id = live.registry.reserve(runner_of(live).route).session_id
        streams.session_ids.append(session_id)
        wire.faults = [fault]
        await until(lambda: report.failures.total() and report.is_registered)
        await heartbeats(report)
        assert runner_of(live).session_ids() == [session_id]
    assert streams.ended == []


async def test_an_orchestrator_that_restarts_takes_it_in_again_under_its_id_and_without_sessions(live, url, caplog):
    caplog.set_level("INFO", "byoc_kit.registration")
    streams = Streams()
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        runner_id = runner_of(live).record.runner_id
        old = live.registry.reserve(runner_of(live).route).session_id
        streams.session_ids.append(old)
        await heartbeats(report)
        await live.restart()
        await until(lambda: report.registrations == 2)
        assert runner_of(live).record.runner_id == runner_id
        assert streams.ended == [old]
        await heartbeats(report)
        assert report.status()["last_error"] is None
    said = [record.getMessage() for record in caplog.records if record.name.startswith("byoc_kit.registration")]
    assert said == [
        f"registered at {url} as the Live Runner {runner_id}",
        f"the registration at {url} is refused: HTTP 401: invalid registration authorization; trying again",
        f"registered at {url} as the Live Runner {runner_id}",
    ]


OTHER = "https://orchestrator.internal:8935"


@pytest.mark.parametrize(
    ("base", "times"), [(f"{OTHER}/", 1), (OTHER.replace("//", "//user:password@"), 1), ("nonsense", 0), ("", 0)]
)
async def test_an_orchestrator_that_names_itself_otherwise_is_said_once(base, times, caplog):
    settings = {"runner_url_base": base, "heartbeat_interval_s": INTERVAL_S, "heartbeat_ttl_s": TTL_S}
    async with orchestrating(**settings) as (live, http), live_runner(plan(str(http._base_url))) as (_, report):
        await until(lambda: report.is_registered)
        await live.restart()
        await until(lambda: report.registrations == 2)
    said = f"sessions will be refused: the orchestrator names itself {OTHER}; register there"
    assert [line for line in caplog.messages if "sessions will" in line] == times * [said]


async def test_a_late_answer_to_a_former_registration_says_nothing_of_the_present_one(live, url):
    async with live_runner(plan(url)) as (runner, report):
        await until(lambda: report.is_registered)
        former = runner._membership
        await live.restart()
        await until(lambda: report.registrations == 2)
        before = report.failures.copy()
        await runner._heartbeat(former)
        assert report.failures == before


async def test_a_container_that_restarts_under_its_id_waits_for_the_old_record_to_go(live, url):
    async with live_runner(plan(url, runner_id="mine")) as (_, report):
        await until(lambda: report.is_registered)
    async with live_runner(plan(url, runner_id="mine")) as (_, report):
        await until(lambda: report.state is State.REFUSED)
        assert "invalid heartbeat authorization" in report.status()["last_error"]
        await until(lambda: report.is_registered)
        assert runner_of(live).record.runner_id == "mine"


async def test_a_wrong_secret_is_refused_until_it_is_right(live, url, caplog):
    async with live_runner(plan(url, secret="wr0ng")) as (_, report):  # noqa: S106
        await until(lambda: report.heartbeats >= 3)
        status = report.status()
    assert (status["state"], status["last_error"]) == ("refused", "HTTP 401: invalid registration authorization")
    assert report.failures == {"http_401": report.heartbeats} or report.failures["http_401"] >= 2
    assert sum("is refused" in line for line in caplog.messages) == 1
    assert "wr0ng" not in caplog.text + str(status)


async def test_an_orchestrator_that_is_down_is_tried_again_and_said_once(caplog, unused_tcp_port):
    async with live_runner(plan(f"http://127.0.0.1:{unused_tcp_port}")) as (_, report):
        await until(lambda: report.failures["connection"] >= 3)
        assert report.status()["state"] == "unreachable"
    assert sum("fails" in line for line in caplog.messages) == 1


async def test_a_certificate_that_the_orchestrator_has_signed_itself_is_taken():
    with self_signed("127.0.0.1") as certificate:
        async with orchestrating(certificate=certificate) as (live, http):
            url = str(http._base_url)
            assert url.startswith("https:")
            async with live_runner(plan(url)) as (runner, report):
                await until(lambda: report.is_registered)
                assert runner_of(live).record.runner_url == "http://container:8000"
                await runner.leave(5)
            assert list(live.registry) == []


async def test_one_that_answers_slower_than_heartbeats_come_keeps_it_and_its_sessions(live, url):
    streams = Streams()
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        session_id = live.registry.reserve(runner_of(live).route).session_id
        streams.session_ids.append(session_id)
        live.faults.delay_s = 4 * INTERVAL_S
        await heartbeats(report, 2 * int(TTL_S / INTERVAL_S))
        assert runner_of(live).session_ids() == [session_id]
        assert report.registrations == 1
    assert streams.ended == []


async def test_a_slow_orchestrator_registers_it_too(live, url):
    live.faults.delay_s = 10 * INTERVAL_S
    async with live_runner(plan(url)) as (_, report):
        await until(lambda: report.is_registered)
        assert len(list(live.registry)) == 1  # a registration whose answer is not waited for would be another one


async def test_at_the_end_no_further_session_is_taken_and_those_that_run_go_on(live, url):
    streams = Streams()
    async with live_runner(plan(url), streams) as (runner, report):
        await until(lambda: report.is_registered)
        session_id = live.registry.reserve(runner_of(live).route).session_id
        streams.session_ids.append(session_id)
        runner.drain()
        await until(lambda: runner_of(live).record.capacity == 1)
        with pytest.raises(Exception, match="no capacity available"):
            live.registry.reserve(runner_of(live).route)
        assert live.registry.target(runner_of(live).route, session_id, "x")
        await runner.leave(5)
        assert list(live.registry) == []
        assert report.state is State.LEFT


async def test_leaving_an_orchestrator_that_has_gone_or_forgotten_it_raises_nothing(live, wire, caplog):
    async with live_runner(plan(wire.url)) as (runner, report):
        await until(lambda: report.is_registered)
        wire.faults = [answers(404, "runner not found")] * 5
        await runner.leave(5)
        assert report.status()["state"] == "left"
        wire.faults = [breaks_off] * 5
        await runner.leave(5)
    assert "was not told that the container ends: Server disconnected" in caplog.text


async def test_one_that_was_never_registered_has_nothing_to_leave(wire):
    wire.faults = [answers(503, "")] * 1000
    async with live_runner(plan(wire.url)) as (runner, _):
        await runner.leave(5)
    assert all(path == HEARTBEAT for path, _, _ in wire.requests)


async def test_a_sick_container_is_hidden_only_while_no_session_needs_it(live, url):
    streams = Streams()
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        session_id = live.registry.reserve(runner_of(live).route).session_id
        await heartbeats(report)
        streams.is_well = False  # the session is reserved, and has not started
        await heartbeats(report, 3)
        assert live.registry.target(runner_of(live).route, session_id, "x")
        live.registry.release(runner_of(live).route, session_id)
        await until(lambda: not live.registry.discovered())
        streams.is_well = True
        await until(live.registry.discovered)


async def test_absurd_durations_are_said_once(live, wire, caplog):
    absurd = {
        "runner_id": "r",
        "heartbeat_secret": "g1ven",
        "heartbeat_interval": "1ns",
        "heartbeat_ttl": {"a": 1},
        "session_ids": [],
    }
    wire.faults = [answers(200, json.dumps(absurd))] * 6
    async with live_runner(plan(wire.url)) as (_, report):
        await until(lambda: report.heartbeats >= 5)
    said = "the orchestrator wants a heartbeat each '1ns' and forgets a runner after {'a': 1}; it gets one each 0.02 s"
    assert caplog.messages.count(said) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"runner_id": "r"},
        {"runner_id": "", "heartbeat_secret": "s"},
        {"runner_id": 7, "heartbeat_secret": "s"},
        {"runner_id": "r", "heartbeat_secret": "a\nb"},
        {"runner_id": "\ud800", "heartbeat_secret": "s"},
    ],
)
async def test_a_registration_without_what_it_takes_is_tried_again(wire, answer):
    wire.faults = [answers(200, json.dumps(answer))]
    async with live_runner(plan(wire.url)) as (_, report):
        await until(lambda: report.is_registered)
    assert report.failures == {"bad_answer": 1}


async def test_a_rotated_secret_is_used(live, wire):
    async def rotated(request):
        body = await request.read()
        headers = {"Authorization": request.headers["Authorization"]}
        async with wire.http.post(request.path, data=body, headers=headers) as response:
            answer = await response.json()
        runner_of(live).heartbeat_secret = "r0tated"  # noqa: S105
        return web.json_response({**answer, "heartbeat_secret": "r0tated"})

    async with live_runner(plan(wire.url)) as (_, report):
        await until(lambda: report.is_registered)
        wire.faults = [rotated]
        await heartbeats(report, 4)
        assert not report.failures
    assert wire.requests[-1][1] == "r0tated"


async def test_a_signal_channel_that_gives_nonsense_changes_nothing(wire, live, http_nonsense):
    async with live_runner(plan(wire.url)) as (_, report):
        await until(lambda: http_nonsense.asked >= 3)
        await heartbeats(report)
    assert not report.failures


@pytest.fixture
async def http_nonsense(wire):
    """A signal channel that answers each request with another kind of nonsense."""

    class Nonsense:
        asked = 0

    async def answer(request):
        Nonsense.asked += 1
        bodies = [b"<html>", b"[]", b'{"event": 7}', b"\xff"]
        return web.Response(body=bodies[Nonsense.asked % 4], headers={"Lp-Trickle-Seq": "banana"})

    async with served(web.get("/o2r/{seq}", answer)) as url:

        async def leads_there(request):
            body = await request.read()
            headers = {"Authorization": request.headers["Authorization"]}
            async with wire.http.post(request.path, data=body, headers=headers) as response:
                given = await response.json()
            return web.json_response({**given, "o2r": {"url": f"{url}/o2r"}})

        wire.faults = [leads_there]
        yield Nonsense


def test_heartbeats_go_on_however_long_the_orchestrator_is_away():
    membership = Membership("runner_a", "secret", Pace(5.0, 20.0), signals_url=None)
    pauses_s = []
    for membership.failures_in_a_row in range(3000):
        pauses_s.append(membership.pause_s)
    assert pauses_s[0] == 5.0
    assert pauses_s[1] == 0.625
    assert set(pauses_s[12:]) == {30.0}


async def test_a_session_of_another_orchestrator_goes_on(live, url):
    streams = Streams("session_of_another")
    async with live_runner(plan(url), streams) as (_, report):
        await until(lambda: report.is_registered)
        own = live.registry.reserve(runner_of(live).route).session_id
        streams.session_ids.append(own)
        await heartbeats(report)
        live.registry.release(runner_of(live).route, own)
        await until(lambda: streams.ended)
        await heartbeats(report)
    assert streams.ended == [own]
