"""The way of the pictures in one run: through a stream server on local trickle channels, or straight back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.child import Child, running
from benchmarks.contenders import Server
from benchmarks.measure import Seen, poll_health, publish, read, run_with, sample_memory
from benchmarks.source import SourcePicture
from byoc_kit.system.addresses import free_port
from byoc_kit.trickle.connection import TrickleError, client_session
from byoc_kit.trickle.protocol import EXPECT_HEADER, VIDEO_TYPE
from byoc_kit.trickle.server import BASE_PATH

_READY_TIMEOUT_S = 60.0
_START_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
_END_TIMEOUT_S = 15.0
_POLL_S = 0.05
_CHANNELS = {"subscribe_url": "in", "publish_url": "out", "control_url": "control", "events_url": "events"}
_READY_WORDS = {"ok", "IDLE"}


async def through_nothing(pictures: Sequence[SourcePicture], folder: Path) -> Seen:
    """Send the pictures and read them back from the same channel."""
    seen = Seen(len(pictures))
    async with _trickle(folder) as (trickle, base), client_session() as http:
        await _create(http, f"{base}/in")
        reading = asyncio.create_task(read(http, f"{base}/in", seen))
        try:
            await publish(http, f"{base}/in", pictures, seen)
            await _finish(reading)
        except (aiohttp.ClientError, TrickleError) as error:
            msg = f"does not serve its channels ({error})"
            raise trickle.failure(msg) from error
        finally:
            reading.cancel()
    return seen


@dataclass(frozen=True)
class Served:
    """A stream server that is ready, and the trickle channels beside it."""

    server: Server
    child: Child
    http: aiohttp.ClientSession
    url: str
    base: str

    async def stream_at_once(self, pictures: Sequence[SourcePicture]) -> None:
        """Stream pictures as fast as they go, as one segment, and return once the stream has ended.

        Raises ``ByocKitError`` where the server takes too long.
        """
        await _start(self.http, self.url, self.base, self.child, self.server)
        segment = b"".join(picture.data for picture in pictures)
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                async with self.http.post(f"{self.base}/in/0", data=segment) as answer:
                    answer.raise_for_status()
                await _until(lambda: self._has_taken(len(pictures)))
                async with self.http.post(f"{self.url}/stream/stop") as answer:
                    answer.raise_for_status()
                await _until(lambda: _has_ended(self.http, self.url))
        except (aiohttp.ClientError, TimeoutError) as error:
            msg = f"broke the stream off ({error or type(error).__name__})"
            raise self.child.failure(msg) from error
        for name in _CHANNELS.values():
            await _delete(self.http, f"{self.base}/{name}")

    async def _has_taken(self, pictures: int) -> bool:
        async with self.http.get(f"{self.url}/stream/status") as answer:
            streams = (await answer.json())["streams"]
        return any(stream.get("frames_encoded", 0) >= pictures for stream in streams)


@asynccontextmanager
async def served(server: Server, folder: Path) -> AsyncIterator[Served]:
    """Run a server, until it is ready, while the body runs."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", server.module, str(port), server.job]
    async with (
        _trickle(folder) as (_, base),
        running(server.title, command, folder / "server.log") as child,
        client_session() as http,
    ):
        await _until_answers(child, lambda: _is_ready(http, url))
        yield Served(server, child, http, url, base)


async def through_server(server: Server, pictures: Sequence[SourcePicture], folder: Path) -> Seen:
    """Stream the pictures through a server and observe it; raises ``ByocKitError`` where it does not do it."""
    seen = Seen(len(pictures))
    async with served(server, folder) as it:
        child, http, url, base = it.child, it.http, it.url, it.base
        seen.ready_rss_mb = child.rss_mb()
        try:
            await _start(http, url, base, child, server)
            cpu_s = child.cpu_s()
            reading = asyncio.create_task(read(http, f"{base}/out", seen))
            try:
                await run_with(
                    _send_all(http, url, base, pictures, seen),
                    poll_health(http, url, seen),
                    sample_memory(child, seen),
                    child.must_live(),
                )
                seen.cpu_s = child.cpu_s() - cpu_s
                seen.peak_rss_mb = child.peak_rss_mb()
                await _delete(http, f"{base}/out")
                await _finish(reading)
            finally:
                reading.cancel()
        except (aiohttp.ClientError, TrickleError, TimeoutError) as error:
            msg = f"broke the stream off ({error or type(error).__name__})"
            raise child.failure(msg) from error
    return seen


@asynccontextmanager
async def _trickle(folder: Path) -> AsyncIterator[tuple[Child, str]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.trickle", str(port)]
    base = f"http://127.0.0.1:{port}{BASE_PATH.rstrip('/')}"
    async with running("the trickle server", command, folder / "trickle.log") as child:
        async with client_session() as http:
            await _until_answers(child, lambda: _answers(http, base))
        yield child, base


async def _send_all(
    http: aiohttp.ClientSession, url: str, base: str, pictures: Sequence[SourcePicture], seen: Seen
) -> None:
    """Send the pictures, close the channels as an orchestrator does, and wait until the server has ended the stream."""
    await publish(http, f"{base}/in", pictures, seen)
    await _delete(http, f"{base}/control")
    try:
        async with asyncio.timeout(_END_TIMEOUT_S):
            await _until(lambda: _has_ended(http, url))
    except TimeoutError:
        seen.is_ended = False


async def _start(http: aiohttp.ClientSession, url: str, base: str, child: Child, server: Server) -> None:
    for name in _CHANNELS.values():
        await _create(http, f"{base}/{name}")
    body: dict[str, Any] = {key: f"{base}/{name}" for key, name in _CHANNELS.items()}
    body |= {"gateway_request_id": "bench", "params": server.params}
    async with http.post(f"{url}/stream/start", json=body, timeout=_START_TIMEOUT) as answer:
        if not answer.ok:
            msg = f"did not start the stream: HTTP {answer.status} {await answer.text()}"
            raise child.failure(msg)


async def _until_answers(child: Child, is_there: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            await run_with(_until(is_there), child.must_live())
    except TimeoutError:
        msg = f"was not ready in {_READY_TIMEOUT_S:.0f} s"
        raise child.failure(msg) from None


async def _until(is_true: Callable[[], Awaitable[bool]]) -> None:
    while not await is_true():  # noqa: ASYNC110  # another process has no event for it
        await asyncio.sleep(_POLL_S)


async def _answers(http: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with http.get(f"{base}/none/next"):
            return True
    except aiohttp.ClientError:
        return False


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/health") as answer:
            return (await answer.json()).get("status") in _READY_WORDS
    except aiohttp.ClientError:
        return False


async def _has_ended(http: aiohttp.ClientSession, url: str) -> bool:
    async with http.get(f"{url}/stream/status") as answer:
        status = await answer.json()
    return not (status.get("streams") or status.get("client_running"))


async def _create(http: aiohttp.ClientSession, url: str) -> None:
    async with http.post(url, headers={EXPECT_HEADER: VIDEO_TYPE}) as answer:
        answer.raise_for_status()


async def _delete(http: aiohttp.ClientSession, url: str) -> None:
    async with http.delete(url):
        pass  # whoever closed it before


async def _finish(reading: asyncio.Task[None]) -> None:
    with suppress(TimeoutError):  # what is not back by now is lost
        await asyncio.wait_for(reading, _END_TIMEOUT_S)
