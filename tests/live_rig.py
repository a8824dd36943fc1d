"""A container behind a local orchestrator of Live Runners, and clients that stream through it."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from runner_rig import orchestrating, static
from server_rig import until

from byoc_kit.core.processor import FrameProcessor, Hooks
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_server import StreamServer
from byoc_kit.trickle.subscriber import read_channel

DEADLINE_S = 30
HEADERS = ("Livepeer-Session-Id", "Livepeer-Runner-Route", "Livepeer-Session-Token", "Livepeer-Session-Control")


@asynccontextmanager
async def container(process_frame=lambda frame: frame, *, capacity=1, settings=None, **hooks):
    """Serve hooks; gives the server, ready, and its URL."""
    processor = FrameProcessor(Hooks(process_frame, **hooks))
    server = StreamServer(processor, capacity=capacity, settings=settings or ServerSettings())
    runner = await server.start_app()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await until(lambda: server._is_ready, "the server is ready")
        yield server, f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await server.stop()
        await runner.cleanup()


class Client:
    """A client of one session. ``output`` is what came back so far."""

    def __init__(self, rig, session):
        self.id = session["session_id"]
        self.app_url = session["app_url"]
        self.control_url = session["control_url"]
        self.answer = {}
        self.output = b""
        self._rig = rig
        self._http = rig.http
        self._next = 0

    async def post(self, path, json=None, **options):
        async with self._http.post(f"{self.app_url}{path}", json=json, **options) as answer:
            return answer.status, await answer.json()

    async def get(self, path):
        async with self._http.get(f"{self.app_url}{path}") as answer:
            return answer.status, await answer.json()

    async def start(self, **params):
        """Start the stream, and read what comes back until its channel ends."""
        status, self.answer = await self.post("/stream/start", {"params": params})
        assert status == 200, self.answer
        self.reading = self._rig.start_reading(self)
        return self.answer

    async def read_output(self):
        async for _, data in read_channel(self._http, self.answer["out"], first_seq=0):
            self.output += data

    async def send(self, data):
        """Send a segment."""
        async with self._http.post(f"{self.answer['in']}/{self._next}", data=data) as answer:
            assert answer.status == 200
        self._next += 1

    async def stop(self):
        """Stop the session at the orchestrator, as a client does."""
        async with self._http.post(f"{self.control_url}/stop") as answer:
            assert answer.status == 204

    async def ended(self):
        async with asyncio.timeout(DEADLINE_S):
            await self.reading

    async def status(self):
        streams = (await self.get("/stream/status"))[1]["streams"]
        return streams[0] if streams else {}

    async def until_frames_out(self, count):
        async def has_gone():
            return (await self.status()).get("frames_encoded", 0) >= count

        await until(has_gone, f"{count} frames of {self.id} are out")


class LiveRig:
    """A container behind an orchestrator. ``orchestrator`` is the local one, ``http`` a client at its base URL."""

    def __init__(self, server, url, orchestrator, http, reading):
        self.server = server
        self.url = url
        self.orchestrator = orchestrator
        self.http = http
        self._reading = reading

    @property
    def base_url(self):
        return str(self.http._base_url).rstrip("/")

    def start_reading(self, client):
        task = asyncio.create_task(client.read_output(), name=f"read {client.id}")
        self._reading.append(task)
        return task

    async def reserve(self):
        async with self.http.post("/apps/first/session") as answer:
            assert answer.status == 200, await answer.text()
            return Client(self, await answer.json())

    def reserved(self):
        """Return the sessions that the orchestrator counts."""
        return [session_id for runner in self.orchestrator.registry for session_id in runner.session_ids()]

    def headers(self, session_id):
        """Return what the orchestrator says of a session to its container."""
        target = self.orchestrator.registry.target("first", session_id, "")
        control = f"{self.base_url}/runner/first/session/{session_id}"
        return dict(zip(HEADERS, (session_id, "first", target.token, control), strict=True))

    async def until_released(self):
        await until(lambda: not self.reserved() and not len(self.server.sessions), "the sessions are released")


@asynccontextmanager
async def live_rig(
    process_frame=lambda frame: frame, *, capacity=1, settings=None, places=None, certificate=None, **hooks
):
    """Serve hooks behind an orchestrator, in whose eyes the container is the static runner ``first``.

    ``places`` is the capacity that the orchestrator was told of, where that is another one.
    """
    async with AsyncExitStack() as stack:
        serving = container(process_frame, capacity=capacity, settings=settings, **hooks)
        server, url = await stack.enter_async_context(serving)
        entry, _ = static(runner_url=url, routing="label", capacity=places or capacity)
        # One health check that a busy machine answers late would end every session.
        live, http = await stack.enter_async_context(
            orchestrating([entry], health_interval_s=3600, certificate=certificate)
        )
        reading = []
        stack.push_async_callback(_cancelled, reading)
        yield LiveRig(server, url, live, http, reading)


async def _cancelled(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
