"""A stream server, and the trickle channels around it, inside the test's own event loop."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from clip_rig import shorten

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.network.serving import serving
from byoc_kit.server.stream_server import StreamServer
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.server import create_app
from byoc_kit.verification.stream_clip import Received, receive, send

CLIP = Path(__file__).parents[1] / "notebooks/clips/bigbuckbunny.mp4"
DEADLINE_S = 60


async def until(is_true, what):
    """Wait for a condition that has no event to wait on, or fail saying which."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not (found := await is_true() if asyncio.iscoroutinefunction(is_true) else is_true()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # what is waited for has no event a test could see
    except TimeoutError:
        pytest.fail(f"never happened: {what}")
    return found


@dataclass
class Rig:
    """A served processor and what a test needs to stream through it."""

    url: str
    server: StreamServer
    http: aiohttp.ClientSession
    channels: Channels
    trickle_url: str

    def channel(self, name, content_type="video/MP2T"):
        self.channels.create(name, content_type)
        return f"{self.trickle_url}/{name}"

    def start_body(self, **extra):
        return {
            "gateway_request_id": "request-1",
            "subscribe_url": self.channel("in"),
            "publish_url": self.channel("out"),
            "control_url": self.channel("control", "application/json"),
            "events_url": self.channel("events", "application/json"),
            **extra,
        }

    async def post(self, path, json=None, **options):
        async with self.http.post(f"{self.url}{path}", json=json, **options) as answer:
            return answer.status, await answer.json()

    async def get(self, path):
        async with self.http.get(f"{self.url}{path}") as answer:
            return answer.status, await answer.json()

    async def stream_status(self):
        streams = (await self.get("/stream/status"))[1]["streams"]
        return streams[0] if streams else None

    async def until_idle(self):
        await until(lambda: not len(self.server.sessions), "the stream ends")

    async def stream(self, body, clip):
        """Start a stream, send the clip, and return what came back once it has ended."""
        assert (await self.post("/stream/start", body))[0] == 200
        received = Received()
        receiving = asyncio.create_task(receive(self.http, body["publish_url"], received))
        await send(self.http, body["subscribe_url"], clip)
        await self.until_idle()
        self.channels.delete("out")
        async with asyncio.timeout(DEADLINE_S):
            await receiving
        return received


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """The first two seconds of the clip, 50 frames, small, with their sound."""
    return live_clip(shorten(CLIP, tmp_path_factory.mktemp("clips") / "short.mp4", seconds=2))


@pytest.fixture
def rig():
    """Return a context manager that serves hooks: ``async with rig(process_frame) as it``."""

    @asynccontextmanager
    async def serve(process_frame, **hooks):
        options = hooks.pop("options", {})
        server = StreamServer(FrameProcessor(Hooks(process_frame, **hooks)), **options)
        runner = await server.start_app()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        channels = Channels()
        async with (
            serving(create_app(channels=channels)) as trickle,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http,
        ):
            it = Rig(f"http://127.0.0.1:{port}", server, http, channels, f"{trickle}/ai/trickle")
            try:
                yield it
            finally:
                await server.stop()
                channels.close()
                await runner.cleanup()

    return serve
