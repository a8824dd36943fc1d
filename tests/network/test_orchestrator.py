import asyncio
import json
from contextlib import AsyncExitStack
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web

from byoc_kit.network.container_client import ContainerRefusedError
from byoc_kit.network.models import ModelEntry
from byoc_kit.network.orchestrator import ModelNotAdvertisedError, Orchestrator, StreamNotFoundError
from byoc_kit.network.routes import serve_orchestrator

DEADLINE_S = 10
MODEL = "green-tint"


class FakeContainer:
    """A container of the documented contract: answers what it is told to and keeps every request."""

    def __init__(self):
        self.health = (200, {"status": "ok"})
        self.answers = {}
        self.requests = []
        self.url = ""

    def app(self):
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_post("/stream/{call}", self._stream)
        return app

    async def _health(self, request):
        status, body = self.health
        return web.json_response(body, status=status)

    async def _stream(self, request):
        self.requests.append((request.path, dict(request.headers), await request.read()))
        status, body = self.answers.get(request.path, (200, {"status": "success"}))
        return web.json_response(body, status=status)


@pytest.fixture
async def container():
    fake = FakeContainer()
    runner = web.AppRunner(fake.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


@pytest.fixture
async def start_orchestrator(container):
    """Run an orchestrator that advertises the fake container, and give it with its base URL."""
    async with AsyncExitStack() as stack:

        async def start(*, token=None, **options):
            entry = ModelEntry(
                pipeline="live-video-to-video", model_id=MODEL, price_per_unit=3000, url=container.url, token=token
            )
            orchestrator = Orchestrator([entry], health_interval_s=0.01, **options)
            url = await stack.enter_async_context(serve_orchestrator(orchestrator))
            return orchestrator, url

        yield start


@pytest.fixture
async def orchestrator(start_orchestrator):
    started, _ = await start_orchestrator()
    async with asyncio.timeout(DEADLINE_S):
        await started.health[MODEL].wait_ready()
    return started


@pytest.fixture
async def http(orchestrator):
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(orchestrator.base_url, timeout=timeout) as session:
        yield session


async def call(http, method, path, **options):
    async with http.request(method, path, **options) as response:
        body = await response.read()
        return response.status, json.loads(body) if body else None


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what it waits for happens on the other side of a socket
            await asyncio.sleep(0.005)


async def test_a_ready_model_is_listed_with_its_price(http):
    status, models = await call(http, "GET", "/models")
    assert status == 200
    assert models == [
        {
            "pipeline": "live-video-to-video",
            "model_id": MODEL,
            "price_per_unit": 3000,
            "warm": False,
            "capacity": 1,
        }
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (503, {"status": "ok"}),
        (201, {"status": "ok"}),
        (200, {"status": "OK"}),
        (200, {"status": "ok", "detail": "more than the contract says"}),
        (200, "not an object"),
    ],
)
async def test_any_other_health_answer_takes_the_model_off_until_it_is_ready_again(orchestrator, container, answer):
    container.health = answer
    await until(lambda: not orchestrator.advertised())
    container.health = (200, {"status": "ok"})
    await until(orchestrator.advertised)
    changes = orchestrator.health[MODEL].history
    assert [change.is_ready for change in changes] == [True, False, True]
    assert all(earlier.monotonic_s < later.monotonic_s for earlier, later in pairwise(changes))
    assert all(earlier.at <= later.at for earlier, later in pairwise(changes))


async def test_a_container_that_does_not_answer_is_not_advertised(unused_tcp_port):
    url = f"http://127.0.0.1:{unused_tcp_port}"
    entry = ModelEntry(pipeline="live-video-to-video", model_id=MODEL, price_per_unit=1, url=url)
    orchestrator = Orchestrator([entry], health_interval_s=0.01)
    async with serve_orchestrator(orchestrator):
        await until(lambda: orchestrator.health[MODEL].history)
        assert orchestrator.advertised() == []
        assert orchestrator.health[MODEL].detail.startswith("no answer: ")


async def test_a_start_calls_the_container_with_every_channel(http, container, orchestrator):
    status, started = await call(http, "POST", "/stream/start", json={"model_id": MODEL, "params": {"gain": 2}})
    assert status == 200
    stream_id = started["stream_id"]
    base = f"{orchestrator.base_url}/ai/trickle/{stream_id}"
    assert started == {
        "stream_id": stream_id,
        "input_url": base,
        "output_url": f"{base}-out",
        "control_url": f"{base}-control",
        "events_url": f"{base}-events",
        "data_url": f"{base}-data",
    }

    [(path, headers, body)] = container.requests
    assert path == "/stream/start"
    assert headers["X-Stream-Id"] == stream_id
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers
    assert json.loads(body) == {
        "gateway_request_id": stream_id,
        "subscribe_url": base,
        "publish_url": f"{base}-out",
        "control_url": f"{base}-control",
        "events_url": f"{base}-events",
        "data_url": f"{base}-data",
        "params": {"gain": 2},
    }


async def test_the_channels_of_a_stream_carry_the_types_of_go_livepeer(orchestrator):
    started = await orchestrator.start_stream(MODEL)
    types = {channel.name.removeprefix(started.stream_id): channel.content_type for channel in orchestrator.channels}
    assert types == {
        "": "video/MP2T",
        "-out": "video/MP2T",
        "-control": "application/json",
        "-events": "application/json",
        "-data": "application/jsonl",
    }


async def test_what_the_gateway_publishes_is_what_the_container_reads(http, container):
    _, started = await call(http, "POST", "/stream/start", json={"model_id": MODEL})
    subscribe_url = json.loads(container.requests[0][2])["subscribe_url"]
    async with http.post(f"{started['input_url']}/0", data=b"a GOP"):
        pass
    async with http.get(f"{subscribe_url}/0") as response:
        assert await response.read() == b"a GOP"


async def test_a_start_without_params_sends_null(http, container):
    await call(http, "POST", "/stream/start", json={"model_id": MODEL, "params": None})
    assert json.loads(container.requests[0][2])["params"] is None


async def test_a_configured_token_is_sent_as_bearer(start_orchestrator, container):
    orchestrator, _ = await start_orchestrator(token="s3cret")  # noqa: S106 - not a real one
    async with asyncio.timeout(DEADLINE_S):
        await orchestrator.health[MODEL].wait_ready()
    await orchestrator.start_stream(MODEL)
    assert container.requests[0][1]["Authorization"] == "Bearer s3cret"


async def test_the_container_gets_its_urls_under_the_host_chosen_for_it(start_orchestrator, container):
    orchestrator, url = await start_orchestrator(container_host="172.17.0.1")
    async with asyncio.timeout(DEADLINE_S):
        await orchestrator.health[MODEL].wait_ready()
    started = await orchestrator.start_stream(MODEL)
    port = url.rpartition(":")[2]
    assert started.urls.input.startswith(url)
    sent = json.loads(container.requests[0][2])
    assert sent["subscribe_url"] == f"http://172.17.0.1:{port}/ai/trickle/{started.stream_id}"


async def test_a_redirect_status_counts_as_started(orchestrator, container):
    container.answers["/stream/start"] = (399, {})
    started = await orchestrator.start_stream(MODEL)
    assert orchestrator.stream_status(started.stream_id).model_id == MODEL


@pytest.mark.parametrize("model_id", [MODEL, "unknown"])
async def test_a_start_of_a_model_that_is_not_advertised_is_a_503(orchestrator, http, container, model_id):
    container.health = (503, {"status": "loading"})
    await until(lambda: not orchestrator.advertised())
    status, answer = await call(http, "POST", "/stream/start", json={"model_id": model_id})
    assert status == 503
    assert model_id in answer["detail"]
    assert container.requests == []


async def test_the_reason_of_a_model_that_is_not_advertised_is_reported(orchestrator, container):
    container.health = (503, {"status": "loading"})
    await until(lambda: not orchestrator.advertised())
    with pytest.raises(ModelNotAdvertisedError, match=r'/health: HTTP 503 \{"status": "loading"\}'):
        await orchestrator.start_stream(MODEL)


async def test_a_refused_start_passes_the_container_s_error_on_and_leaves_no_channel(orchestrator, http, container):
    container.answers["/stream/start"] = (503, {"detail": "busy"})
    status, answer = await call(http, "POST", "/stream/start", json={"model_id": MODEL})
    assert (status, answer) == (503, {"detail": "busy"})
    assert list(orchestrator.channels) == []


async def test_a_container_that_breaks_off_at_start_is_a_500_with_a_reason(orchestrator, container):
    orchestrator.models[MODEL] = orchestrator.models[MODEL].model_copy(update={"url": "http://127.0.0.1:1"})
    with pytest.raises(ContainerRefusedError, match=r"no answer from http://127\.0\.0\.1:1/stream/start") as refused:
        await orchestrator.start_stream(MODEL)
    assert refused.value.answer.status == 500


async def test_params_are_passed_on_as_they_came(http, container):
    _, started = await call(http, "POST", "/stream/start", json={"model_id": MODEL})
    container.answers["/stream/params"] = (422, {"detail": "gain: at most 4"})
    status, answer = await call(http, "POST", f"/stream/{started['stream_id']}/params", data=b'{"gain":  9}')
    assert (status, answer) == (422, {"detail": "gain: at most 4"})
    path, headers, body = container.requests[1]
    assert (path, body) == ("/stream/params", b'{"gain":  9}')
    assert headers["X-Stream-Id"] == started["stream_id"]
    assert headers["Content-Type"] == "application/json"


async def test_a_stop_is_passed_on_without_a_content_type_and_deletes_the_channels(orchestrator, http, container):
    _, started = await call(http, "POST", "/stream/start", json={"model_id": MODEL})
    held = list(orchestrator.channels)
    status, _ = await call(http, "POST", f"/stream/{started['stream_id']}/stop")
    assert status == 200
    path, headers, body = container.requests[1]
    assert (path, body) == ("/stream/stop", b"")
    assert headers["X-Stream-Id"] == started["stream_id"]
    assert "Content-Type" not in headers
    assert all(channel.is_closed for channel in held)
    assert list(orchestrator.channels) == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/stop"), ("POST", "/params")])
async def test_a_stream_that_does_not_run_is_a_404(http, method, path):
    status, answer = await call(http, method, f"/stream/nobody{path}")
    assert (status, answer) == (404, {"detail": "no stream 'nobody' is running"})


async def test_a_stopped_stream_is_not_found(orchestrator):
    started = await orchestrator.start_stream(MODEL)
    await orchestrator.stop_stream(started.stream_id)
    with pytest.raises(StreamNotFoundError):
        orchestrator.stream_status(started.stream_id)


async def test_the_newest_status_event_is_shown_and_all_events_are_counted(orchestrator, http):
    started = await orchestrator.start_stream(MODEL)
    events = orchestrator.channels.find(f"{started.stream_id}-events")
    for body in (
        b'{"type": "status", "fps": 24}',
        b'{"type": "status", "fps": 30}',
        b'{"event": {"type": "stream_started"}, "queue_event_type": "ai_stream_events"}',
        b"not JSON",
        b"[]",
    ):
        async with http.post(f"{started.urls.events}/-1", data=body):
            pass
    await until(lambda: orchestrator.stream_status(started.stream_id).events == 3)

    status, shown = await call(http, "GET", f"/stream/{started.stream_id}")
    assert status == 200
    assert shown.pop("seconds_since_last_event") >= 0
    assert shown == {
        "stream_id": started.stream_id,
        "model_id": MODEL,
        "events": 3,
        "last_status": {"type": "status", "fps": 30},
        "watchdog": "ok",
    }
    assert events.next_seq == 5


async def test_events_are_followed_across_a_deleted_and_an_empty_segment(orchestrator, http):
    started = await orchestrator.start_stream(MODEL)
    async with http.delete(f"{started.urls.events}/0"):
        pass
    async with http.post(f"{started.urls.events}/0"):
        pass
    async with http.post(f"{started.urls.events}/1", data=b'{"type": "status"}'):
        pass
    await until(lambda: orchestrator.stream_status(started.stream_id).last_status == {"type": "status"})


async def test_the_control_channel_is_kept_alive(start_orchestrator):
    orchestrator, _ = await start_orchestrator(keepalive_interval_s=0.01)
    async with asyncio.timeout(DEADLINE_S):
        await orchestrator.health[MODEL].wait_ready()
        started = await orchestrator.start_stream(MODEL)
        control = orchestrator.channels.find(f"{started.stream_id}-control")
        assert await control.read(0) == b'{"keep":"alive"}'
        assert await control.read(1) == b'{"keep":"alive"}'


async def test_leaving_run_ends_streams_open_requests_and_every_task(container):
    before = asyncio.all_tasks()
    entry = ModelEntry(pipeline="live-video-to-video", model_id=MODEL, price_per_unit=1, url=container.url)
    orchestrator = Orchestrator([entry], health_interval_s=0.01)
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
        async with serve_orchestrator(orchestrator):
            await orchestrator.health[MODEL].wait_ready()
            started = await orchestrator.start_stream(MODEL)
            output = orchestrator.channels.find(f"{started.stream_id}-out")
            reading = asyncio.create_task(session.get(f"{started.urls.output}/0"))
            await until(lambda: output._ring)
        async with await reading as response:
            assert response.headers["Lp-Trickle-Closed"] == "terminated"
    await until(lambda: not ours(asyncio.all_tasks() - before))


def ours(tasks):
    """Leave out the tasks of the fake container's connections."""
    return [task for task in tasks if "byoc_kit" in repr(task) or "uvicorn" in repr(task)]
