"""Who polls the health, and what each hears of a stream that goes wrong."""

import json
import threading

import pytest
from server_rig import until
from stream_rig import SEGMENTS, served, streaming

from byoc_kit.remote.progress import Progress
from byoc_kit.server.health import Contract, health_response
from byoc_kit.server.settings import ServerSettings

OK = (200, {"status": "ok"})


async def of_live_runner(it):
    return await it.get("/health/live-runner")


def broken(_):
    raise ValueError("always")


async def test_a_fault_of_a_stream_ends_no_session_of_a_live_runner(rig):
    options = {"settings": ServerSettings(max_failures=3)}
    async with served(rig, broken, options=options) as it, streaming(it) as stream:
        await stream.post(0, SEGMENTS[0])
        await until(it.server.sessions.problem, "it is noticed")
        assert (await it.get("/health"))[0] == 503
        assert await of_live_runner(it) == OK
        _, status = await it.get("/stream/status")
        assert status["status"] == "error"
        assert "frames failed: ValueError" in status["streams"][0]["error"]


async def test_the_contract_of_a_live_runner_makes_it_the_health_itself(rig):
    settings = ServerSettings(contract=Contract.LIVE_RUNNER, max_failures=3)
    async with served(rig, broken, options={"settings": settings}) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await until(it.server.sessions.problem, "it is noticed")
            assert await it.get("/health") == OK
        assert (await it.get("/"))[1]["contract"] == "live-runner"


@pytest.fixture
def released():
    it = threading.Event()
    yield it
    it.set()


async def test_a_live_runner_is_ill_once_what_hangs_has_every_place_and_no_stream_runs(rig, released, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.session.DRAIN_S", 0.1)
    monkeypatch.setattr("byoc_kit.server.session.LET_GO_S", 0.1)
    settings = ServerSettings(stall_timeout_s=0.1, first_frame_timeout_s=0.1)
    options = {"settings": settings, "capacity": 2}
    async with served(rig, lambda frame: released.wait() and frame, options=options) as it:
        await hang(it, "one")
        assert (await it.get("/health"))[0] == 503
        assert await of_live_runner(it) == OK
        assert await it.post("/stream/stop", {"stream_id": "one"}) == (200, {"status": "success", "stopped": 1})
        assert await of_live_runner(it) == OK  # one place is left
        await hang(it, "two")
        assert await of_live_runner(it) == OK  # a stream runs, and may come back
        await it.post("/stream/stop", {"stream_id": "two"})
        status, said = await of_live_runner(it)
        assert status == 503
        assert said["detail"].startswith("process_frame has not returned for ")
        released.set()
        await until(lambda: not it.server.sessions.is_occupied, "they return")
        assert await of_live_runner(it) == OK


async def hang(it, name):
    """Start a stream whose ``process_frame`` hangs for longer than it may."""
    body = it.start_body(subscribe_url=it.channel(f"in-{name}"), publish_url=it.channel(f"out-{name}"))
    assert (await it.post("/stream/start", body, headers={"X-Stream-Id": name}))[0] == 200
    await until(lambda: it.channels.find(f"in-{name}")._ring, "the stream listens")
    async with it.http.post(f"{it.trickle_url}/in-{name}/0", data=SEGMENTS[0]):
        pass

    def hangs():
        return any(s["stream_id"] == name and s["error"] for s in it.server.sessions.status())

    await until(hangs, "it is noticed")


async def test_a_hook_that_has_only_just_begun_to_end_is_no_dead_end(rig, released, monkeypatch):
    """A session that is reserved, but has no stream yet, would end for it."""
    monkeypatch.setattr("byoc_kit.server.session.STREAM_END_S", 0.1)
    async with served(rig, on_stream_stop=released.wait) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        assert (await it.post("/stream/stop"))[0] == 200
        assert it.server.sessions.is_occupied
        assert await of_live_runner(it) == OK


async def test_a_live_runner_is_ill_while_it_loads_where_it_cannot_and_when_it_stops(rig):
    loaded = threading.Event()
    async with rig(lambda frame: frame, load_model=lambda: loaded.wait(30)) as it:
        assert await of_live_runner(it) == (503, {"status": "loading"})
        loaded.set()
        await until(lambda: it.server._is_ready, "the server is ready")
        assert await of_live_runner(it) == OK
        await it.server.stop()
        assert await of_live_runner(it) == (503, {"status": "error", "detail": "the server is stopping"})
    async with rig(lambda frame: frame, load_model=lambda: 1 / 0) as it:
        await until(lambda: it.server._load_error, "loading fails")
        status, said = await of_live_runner(it)
        assert status == 503
        assert said["detail"].startswith("load_model failed at ")


def test_while_weights_are_fetched_the_detail_says_how_far_that_is():
    with Progress("model.bin", 200_000_000, start=50_000_000) as progress:
        progress.advance(30_000_000)
        loading = json.loads(health_response(Contract.BYOC, is_ready=False).text)
    assert loading == {"status": "loading", "detail": "fetching model.bin: 40 % of 200 MB"}
    assert json.loads(health_response(Contract.BYOC, is_ready=False).text) == {"status": "loading"}
