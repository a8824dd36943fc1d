"""Whole sessions of a Live Runner: a client, a local orchestrator, and a container behind it."""

import asyncio
import io
import json
import logging
import shutil
import threading
from itertools import pairwise

import numpy as np
import pytest
from live_rig import DEADLINE_S, live_rig
from server_rig import until
from stream_rig import SEGMENTS, frame_numbers, numbers

from byoc_kit.core.params import Params
from byoc_kit.core.publish import publish
from byoc_kit.media.demux import open_stream
from byoc_kit.network.runner_records import RunnerError
from byoc_kit.network.serving import self_signed
from byoc_kit.server import live_runner
from byoc_kit.server.live_runner import CHANNELS
from byoc_kit.server.settings import ServerSettings
from byoc_kit.verification.stream_clip import Received, receive, send


class Look(Params):
    level: int = 0


def painted(frame, params: Look):
    """Make a picture of one grey."""
    return frame.replace(pixels=np.full_like(frame.view(), params.level))


def levels(data):
    """Return how light each picture is."""
    with open_stream(io.BytesIO(data)) as container:
        return [round(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]


def warnings_of(caplog):
    return [one.message for one in caplog.records if one.name.startswith("byoc_kit") and one.levelno > logging.INFO]


async def test_a_session_from_its_reservation_to_its_clients_stop():
    async with live_rig() as it:
        client = await it.reserve()
        answer = await client.start()
        assert answer == {
            "status": "success",
            "message": "stream started",
            "stream_id": client.id,
            "session": client.id,
            **{name: f"{it.base_url}/ai/trickle/{client.id}-{name}" for name in CHANNELS},
        }
        types = {
            channel.name.removeprefix(f"{client.id}-"): channel.content_type for channel in it.orchestrator.channels
        }
        assert types == CHANNELS
        for segment in SEGMENTS[:3]:
            await client.send(segment)
        await client.until_frames_out(20)
        assert it.server.sessions.live_session_ids() == [client.id]
        await client.stop()
        await client.ended()
        await it.until_released()
        assert it.server.sessions.ended["ended_by"] in ("the input ended", "the output ended")
        assert it.server.sessions.live_session_ids() == []
        assert it.server.sessions.totals.faults["session callback"] == 0
    received = frame_numbers(client.output)
    assert received[:20] == numbers(0, 2)
    assert len(set(levels(client.output))) > 10


async def test_the_clip_goes_through_and_the_container_releases_the_session_at_its_end(clip):
    async with live_rig(lambda frame: frame) as it:
        client = await it.reserve()
        async with it.http.post(f"{client.app_url}/stream/start") as answer:  # nothing is asked, so nothing is sent
            assert answer.status == 200
            urls = await answer.json()
        received = Received()
        receiving = asyncio.create_task(receive(it.http, urls["out"], received))
        await send(it.http, urls["in"], clip)
        async with asyncio.timeout(DEADLINE_S):
            await receiving
        await it.until_released()
    pictures = pixels(bytes(received.data))
    assert len(pictures) >= 40
    assert all(np.abs(one - other).mean() > 0 for one, other in pairwise(pictures))


def pixels(data):
    with open_stream(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


async def test_a_stream_that_is_started_again_is_the_same_one():
    async with live_rig(painted, params_type=Look) as it:
        client = await it.reserve()
        both = await asyncio.gather(*(client.post("/stream/start", {"params": {"level": 7}}) for _ in range(2)))
        assert both[0] == both[1]
        assert both[0][0] == 200
        assert await client.post("/stream/start", {"params": {"level": 9}}) == both[0]
        assert len(it.server.sessions) == 1
        assert it.server.sessions.totals.started == 1
        assert (await client.status())["params"] == {"level": 7}


async def test_four_sessions_at_once_have_each_their_own_parameters():
    async with live_rig(painted, params_type=Look, capacity=4) as it:
        clients = [await it.reserve() for _ in range(4)]
        for number, client in enumerate(clients):
            await client.start(level=60 * number)
        for segment in SEGMENTS[:2]:
            await asyncio.gather(*(client.send(segment) for client in clients))
        await asyncio.gather(*(client.until_frames_out(11) for client in clients))
        assert await clients[1].post("/stream/params", {"level": 90}) == (
            200,
            {"status": "success", "message": "parameters updated"},
        )
        # A client may name another session in what is its own to write; it is not heard.
        named = {"X-Stream-Id": clients[0].id}
        assert (await clients[2].post("/stream/params", {"level": 150}, headers=named))[0] == 200
        assert [(await client.status())["params"]["level"] for client in clients] == [0, 90, 150, 180]
        for segment in SEGMENTS[2:5]:
            await asyncio.gather(*(client.send(segment) for client in clients))
        await asyncio.gather(*(client.until_frames_out(41) for client in clients))
        await asyncio.gather(*(client.post("/stream/stop") for client in clients))
        await asyncio.gather(*(client.ended() for client in clients))
        await it.until_released()
    for client, first, last in zip(clients, (0, 60, 120, 180), (0, 90, 150, 180), strict=True):
        grey = levels(client.output)
        assert abs(grey[0] - first) <= 2
        assert abs(grey[-1] - last) <= 2


async def test_a_client_sees_nothing_of_the_other_sessions():
    async with live_rig(capacity=2) as it:
        own, other = await it.reserve(), await it.reserve()
        await own.start()
        await other.start()
        status, shown = await own.get("/stream/status")
        assert status == 200
        assert [stream["stream_id"] for stream in shown["streams"]] == [own.id]
        await other.post("/stream/stop")
        await until(lambda: it.server.sessions.ended, "the other one has ended")
        assert other.id not in json.dumps(await own.get("/stream/status"))
        assert (await own.get("/metrics"))[0] == 403
        async with it.http.get(f"{it.url}/stream/status") as answer:
            assert (await answer.json())["last_ended"]["stream_id"] == other.id


async def test_a_stop_by_the_app_route_sends_the_tail_and_releases():
    async with live_rig() as it:
        client = await it.reserve()
        await client.start()
        for segment in SEGMENTS[:2]:
            await client.send(segment)
        await client.until_frames_out(11)
        assert await client.post("/stream/stop") == (200, {"status": "success", "stopped": 1})
        await client.ended()
        await it.until_released()
        assert frame_numbers(client.output)[-1] >= 18


async def test_the_end_of_the_container_ends_and_releases_each_session():
    async with live_rig(capacity=2) as it:
        clients = [await it.reserve() for _ in range(2)]
        for client in clients:
            await client.start()
            await client.send(SEGMENTS[0])
        await it.server.stop()
        assert it.reserved() == []
        for client in clients:
            await client.ended()


async def test_a_session_that_starts_while_the_container_ends_is_released(monkeypatch):
    entered, goes_on = asyncio.Event(), asyncio.Event()
    whole = live_runner.LiveSession.open

    async def wait(session, request):
        entered.set()
        await goes_on.wait()
        return await whole(session, request)

    monkeypatch.setattr(live_runner.LiveSession, "open", wait)
    async with live_rig() as it:
        client = await it.reserve()
        starting = asyncio.create_task(client.post("/stream/start", {}))
        async with asyncio.timeout(DEADLINE_S):
            await entered.wait()
        await it.server.stop()
        goes_on.set()
        status, answer = await starting
        assert (status, answer["message"]) == (503, "the server is stopping; start the stream elsewhere")
        await it.until_released()


@pytest.mark.parametrize("sends", [False, True])
async def test_a_session_without_input_is_released(sends):
    async with live_rig(settings=ServerSettings(idle_timeout_s=0.3)) as it:
        client = await it.reserve()
        await client.start()
        if sends:
            await client.send(SEGMENTS[0])
        await it.until_released()
        await client.ended()
        assert it.server.sessions.ended["ended_by"] == "no input for 0.3 s"


async def test_a_byoc_stream_may_be_without_input_for_any_time(rig):
    async with rig(lambda frame: frame, options={"settings": ServerSettings(idle_timeout_s=0.05)}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        await it.post("/stream/start", it.start_body())
        await asyncio.sleep(0.3)
        assert len(it.server.sessions) == 1


@pytest.mark.parametrize("name", ["in", "out"])
async def test_a_channel_that_is_closed_ends_the_stream(name):
    async with live_rig() as it:
        client = await it.reserve()
        await client.start()
        await client.send(SEGMENTS[0])
        await client.send(SEGMENTS[1])
        await client.until_frames_out(1)
        it.orchestrator.channels.delete(f"{client.id}-{name}")
        if name == "out":
            await client.send(SEGMENTS[2])
            await client.send(SEGMENTS[3])
        await it.until_released()


async def test_a_dead_channel_gets_another_name():
    async with live_rig() as it:
        client = await it.reserve()
        it.orchestrator.registry.create_channel("first", client.id, "in", "video/mp2t")
        it.orchestrator.channels.delete(f"{client.id}-in")  # as the trickle server's sweep does
        answer = await client.start()
        assert answer["in"].endswith(f"/ai/trickle/{client.id}-in-2")
        for segment in SEGMENTS[:2]:
            await client.send(segment)
        await client.until_frames_out(11)


async def test_a_restart_of_the_orchestrator_ends_its_sessions_and_the_next_one_is_served():
    async with live_rig() as it:
        client = await it.reserve()
        await client.start()
        await client.send(SEGMENTS[0])
        await it.orchestrator.restart()
        await it.until_released()
        await until(lambda: not it.server.sessions._releasing, "nothing is left to release")
        assert it.server.sessions.totals.faults["session callback"] == 0
        second = await it.reserve()
        await second.start()
        for segment in SEGMENTS[:2]:
            await second.send(segment)
        await second.until_frames_out(11)


async def test_a_container_without_room_refuses_and_the_stream_that_runs_goes_on():
    async with live_rig(capacity=1, places=2) as it:
        first, second = await it.reserve(), await it.reserve()
        await first.start()
        status, answer = await second.post("/stream/start", {})
        assert (status, answer["message"]) == (503, "busy: 1 of 1 streams run; stop one first")
        for segment in SEGMENTS[:2]:
            await first.send(segment)
        await first.until_frames_out(11)


async def test_a_parameter_that_does_not_fit_is_named_before_a_channel_is_made():
    async with live_rig(painted, params_type=Look) as it:
        client = await it.reserve()
        status, answer = await client.post("/stream/start", {"params": {"level": "much"}})
        assert (status, answer["field"]) == (400, "params.level")
        assert not list(it.orchestrator.channels)
        await client.start(level=3)
        status, answer = await client.post("/stream/params", {"level": "much"})
        assert (status, answer["field"]) == (400, "level")


async def test_a_second_session_of_the_same_id_is_refused_and_the_first_goes_on():
    async with live_rig(capacity=2) as it:
        client = await it.reserve()
        await client.start()
        forged = {**it.headers(client.id), "Livepeer-Session-Token": "another"}
        for method, path in [("POST", "start"), ("POST", "params"), ("POST", "stop"), ("GET", "status")]:
            async with it.http.request(method, f"{it.url}/stream/{path}", headers=forged, json={}) as answer:
                assert answer.status == 503
                said = f"busy: a session {client.id} with another token runs already"
                assert (await answer.json())["message"] == said
        for segment in SEGMENTS[:2]:
            await client.send(segment)
        await client.until_frames_out(11)


@pytest.mark.parametrize("url", ["subscribe_url", "publish_url", "control_url", "events_url", "data_url"])
async def test_a_client_sends_the_container_to_no_address(url):
    async with live_rig() as it:
        client = await it.reserve()
        it.orchestrator.channels.create("mine", "video/mp2t")
        status, answer = await client.post("/stream/start", {url: f"{it.base_url}/ai/trickle/mine"})
        assert (status, answer["field"]) == (400, url)
        assert len(it.server.sessions) == 0
        await client.start()


async def test_a_session_whose_first_hook_hangs_is_released():
    may_return = threading.Event()

    def on_stream_start(_):
        may_return.wait(2 * DEADLINE_S)

    settings = ServerSettings(idle_timeout_s=0.1, first_frame_timeout_s=0.1)
    async with live_rig(on_stream_start=on_stream_start, settings=settings) as it:
        client = await it.reserve()
        await client.start()
        await it.until_released()
        may_return.set()


async def test_headers_that_do_not_fit_are_a_400():
    async with live_rig() as it:
        client = await it.reserve()
        headers = it.headers(client.id)
        del headers["Livepeer-Session-Token"]
        async with it.http.post(f"{it.url}/stream/start", headers=headers, json={}) as answer:
            assert answer.status == 400
            assert (await answer.json())["field"] == "Livepeer-Session-Token"


async def test_an_orchestrator_other_than_the_configured_one_is_not_called_back(caplog):
    async with live_rig(settings=ServerSettings(orchestrator_url="https://orchestrator:8935")) as it:
        client = await it.reserve()
        for _ in range(2):
            status, answer = await client.post("/stream/start", {})
            assert (status, answer["field"]) == (400, "Livepeer-Session-Control")
        [said] = warnings_of(caplog)
        assert said.startswith(
            "a Live Runner's session is refused: Livepeer-Session-Control: leads to http://127.0.0.1:"
        )
        assert not list(it.orchestrator.channels)


async def test_a_callback_that_is_refused_is_a_502_one_line_in_the_log_and_counted(caplog):
    async with live_rig() as it:
        client = await it.reserve()
        headers = it.headers(client.id)
        await client.stop()
        async with it.http.post(f"{it.url}/stream/start", headers=headers, json={}) as answer:
            assert answer.status == 502
            said = "the orchestrator did not make the session's channels: HTTP 404: runner session not found"
            assert (await answer.json())["message"] == said
        assert warnings_of(caplog) == [f"session {client.id} does not start: {said}"]
        async with it.http.get(f"{it.url}/metrics") as answer:
            assert 'byoc_kit_faults_total{kind="session callback"} 1.0' in await answer.text()
        assert not it.server.sessions.is_occupied


async def test_a_session_that_cannot_be_released_is_one_line_in_the_log(caplog, monkeypatch):
    monkeypatch.setattr(live_runner, "_RELEASE_PAUSES_S", (0, 0))
    async with live_rig() as it:
        client = await it.reserve()
        await client.start()
        registry = it.orchestrator.registry

        def refuse(*_):
            raise RunnerError(500, "Invalid stream")

        with monkeypatch.context() as patched:
            patched.setattr(registry, "check_token", refuse)
            await client.post("/stream/stop")
            await until(lambda: not it.server.sessions._releasing, "the release is given up")
        said = "the orchestrator did not release the session: HTTP 500: Invalid stream"
        assert warnings_of(caplog) == [
            f"session {client.id} keeps its place on the orchestrator until its client stops it: {said}"
        ]


async def test_a_session_that_is_being_released_is_not_started_again(monkeypatch):
    entered, released = asyncio.Event(), asyncio.Event()

    async def wait(_):
        entered.set()
        await released.wait()

    monkeypatch.setattr(live_runner.LiveSession, "release", wait)
    async with live_rig(capacity=2) as it:
        client = await it.reserve()
        await client.start()
        await client.post("/stream/stop")
        async with asyncio.timeout(DEADLINE_S):
            await entered.wait()
        status, answer = await client.post("/stream/start", {})
        said = f"busy: the session {client.id} has ended; reserve another one"
        assert (status, answer["message"]) == (503, said)
        other = await it.reserve()
        await other.start()  # the place in the container is free
        released.set()


async def test_a_client_changes_parameters_by_the_control_channel_and_reads_the_data_channel():
    def process_frame(frame, params: Look):
        publish({"level": params.level})
        return frame

    async with live_rig(process_frame, params_type=Look) as it:
        client = await it.reserve()
        await client.start(level=1)
        async with it.http.post(f"{client.answer['control']}/0", data=b'{"level": 2}') as answer:
            assert answer.status == 200

        async def is_changed():
            return (await client.status())["params"] == {"level": 2}

        await until(is_changed, "the message is applied")
        await client.send(SEGMENTS[0])
        async with it.http.get(f"{client.answer['data']}/0") as answer:
            assert json.loads((await answer.text()).splitlines()[0]) == {"level": 2}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")
async def test_a_certificate_that_the_orchestrator_has_signed_itself_is_accepted():
    with self_signed("127.0.0.1") as certificate:
        async with live_rig(certificate=certificate) as it:
            client = await it.reserve()
            assert (await client.start())["in"].startswith("https://")
            for segment in SEGMENTS[:2]:
                await client.send(segment)
            await client.until_frames_out(11)
            await client.post("/stream/stop")
            await client.ended()
            await it.until_released()
            await until(lambda: not it.server.sessions._releasing, "nothing is left to release")
            assert it.server.sessions.totals.faults["session callback"] == 0


async def test_the_token_is_shown_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    async with live_rig() as it:
        client = await it.reserve()
        token = it.headers(client.id)["Livepeer-Session-Token"]
        await client.start()
        async with it.http.get(f"{client.answer['events']}/0") as answer:
            event = await answer.text()
        shown = [event, await client.get("/stream/status"), await client.get("/")]
        async with it.http.get(f"{it.url}/metrics") as answer:
            shown.append(await answer.text())
        await client.post("/stream/stop")
        await it.until_released()
    assert token not in f"{shown} {caplog.text} {it.server.sessions.ended}"
