"""The live part of a verification: streams the clip through the container and a local network around it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import av

from byoc_kit.bundle.announce import image_name
from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.errors import ByocKitError
from byoc_kit.media.paced_clip import LiveClip
from byoc_kit.media.programs import read_programs
from byoc_kit.network.container_client import ContainerRefusedError
from byoc_kit.network.health_watch import HealthWatch
from byoc_kit.network.models import ModelEntry, read_models
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.system.addresses import free_port
from byoc_kit.system.concurrency import on_thread
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.connection import client_session
from byoc_kit.trickle.protocol import VIDEO_TYPE
from byoc_kit.trickle.publisher import SegmentPublisher
from byoc_kit.trickle.subscriber import read_channel
from byoc_kit.verification.result import Streamed
from byoc_kit.verification.target import BrokenOffError, Target, Where, running, serve_command

_READY_TIMEOUT_S = 180.0
_END_TIMEOUT_S = 15.0
_POLL_S = 0.25
Say = Callable[[str], None]


@dataclass
class Received:
    """What came back: its bytes, and when each picture (by its pts, in 1/90000 s) was complete.

    Times are monotonic; ``started_s`` is when the clip's first chunk was sent.
    """

    started_s: float = 0.0
    data: bytearray = field(default_factory=bytearray)
    arrived_s: dict[int, float] = field(default_factory=dict)


async def send(http: aiohttp.ClientSession, url: str, clip: LiveClip) -> float:
    """Publish a clip at its own pace and close the channel; returns the monotonic time of the first chunk."""
    publisher = SegmentPublisher(http, url, VIDEO_TYPE)
    running = asyncio.create_task(publisher.run())
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    try:
        for chunk in clip.chunks:
            await asyncio.sleep(started_s + chunk.time_s - loop.time())
            if chunk.begins_segment:
                await publisher.put(None)
            if chunk.data:
                await publisher.put(chunk.data)
        await publisher.finish()
        await running
    finally:
        running.cancel()
    return started_s


async def receive(http: aiohttp.ClientSession, url: str, received: Received) -> None:
    """Read the output until its channel ends, and note when each picture was complete."""
    inlet = ByteInlet()
    noting = asyncio.create_task(on_thread(partial(note_arrivals, inlet, received.arrived_s), name="receive"))
    try:
        async for _, data in read_channel(http, url):
            received.data += data
            await inlet.feed(data)
    finally:
        inlet.end()
        await noting


def note_arrivals(inlet: ByteInlet, arrived_s: dict[int, float]) -> None:
    """Note when each picture, by its pts, was complete; nothing if no video comes. Blocks until the inlet ends."""
    with suppress(av.FFmpegError):
        for program in read_programs(inlet, lambda *_: None):
            for packet in program.packets():
                if packet.pts is not None and packet.stream is program.video:
                    arrived_s.setdefault(packet.pts, time.monotonic())


async def stream_clip(
    bundle: Bundle, clip: LiveClip, params: dict[str, Any], streamed: Streamed, *, say: Say
) -> Received:
    """Stream the clip in real time through the container of ``streamed``, and fill in its health, status and ending.

    If the container does not start, refuses the stream or ends during it, ``streamed`` says so. Returns what came back
    until then.
    """
    from byoc_kit.image.container import HOST_NAME

    received = Received()
    where = streamed.where
    is_image = where.image is not None
    async with _target(bundle, where) as target:
        entry = _entry(bundle).model_copy(update={"url": target.url})
        container_host = HOST_NAME if is_image else None
        orchestrator = Orchestrator([entry], health_interval_s=_POLL_S, container_host=container_host)
        # A container reaches this machine through Docker's bridge, so the trickle server must also listen there.
        async with serve_orchestrator(orchestrator, "0.0.0.0" if is_image else "127.0.0.1"):  # noqa: S104
            watch = orchestrator.health[entry.model_id]
            try:
                say(f"waiting for {target.url}/health, up to {_READY_TIMEOUT_S:.0f} s")
                await _until_ready(target, watch)
                say(f"{entry.model_id} is advertised; streaming {clip.duration_s:.1f} s of video in real time")
                through = _through(orchestrator, entry, clip, params, streamed=streamed, received=received)
                await target.outlives(through)
            except BrokenOffError as error:
                streamed.broken = str(error)
            finally:
                first_s = watch.history[0].monotonic_s if watch.history else 0.0
                streamed.health = [(change.monotonic_s - first_s, change.detail) for change in watch.history]
                streamed.was_ready = watch.is_ready
            await target.stop()
            streamed.exit_code, streamed.stopped_in_s = target.exit_code, target.stopped_in_s
            streamed.last_lines = tuple(target.log.lines) if streamed.broken else ()
    return received


def require_target(bundle: Bundle, where: Where) -> None:
    """Raise ``ByocKitError`` if the container cannot be started: no engine, no image, or no entry for it."""
    _entry(bundle)
    if where.image is not None:
        from byoc_kit.image.container import require_engine, require_image

        require_engine()
        require_image(_image(bundle, where.image))


def _entry(bundle: Bundle) -> ModelEntry:
    path = bundle.folder / "aiModels.json"
    found = [model for model in read_models(path) if model.model_id == bundle.model_id]
    if not found:
        msg = f"{path} does not name {bundle.model_id}; export the notebook again"
        raise ByocKitError(msg)
    return found[0]


def _image(bundle: Bundle, name: str) -> str:
    return name or image_name(bundle.capability)


@contextlib.asynccontextmanager
async def _target(bundle: Bundle, where: Where) -> AsyncIterator[Target]:
    if where.url is not None:
        yield Target(where.url.rstrip("/"))
        return
    port = free_port()
    if where.image is None:
        async with running(serve_command(bundle.folder, port), port) as target:
            yield target
        return
    from byoc_kit.image.container import remove_container, run_command

    name = f"byoc-kit-verify-{port}"
    command = run_command(_image(bundle, where.image), port=port, name=name, gpus=where.gpus)
    try:
        async with running(command, port, called="the container") as target:
            yield target
    finally:
        # After the grace period only the docker client was killed, and the container would go on running.
        await on_thread(partial(remove_container, name), name="remove-container")


async def _until_ready(target: Target, watch: HealthWatch) -> None:
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            await target.outlives(watch.wait_ready())
    except TimeoutError:
        msg = f"{target.url}/health was not ready in {_READY_TIMEOUT_S:.0f} s; its last answer: {watch.detail}"
        raise BrokenOffError(msg) from None


async def _through(
    orchestrator: Orchestrator, entry: ModelEntry, clip: LiveClip, params: dict[str, Any], *, streamed: Streamed,
    received: Received,
) -> None:  # fmt: skip
    try:
        started = await orchestrator.start_stream(entry.model_id, params or None)
    except ContainerRefusedError as error:
        msg = f"the container refused the stream: {error}"
        raise BrokenOffError(msg) from error
    async with client_session() as http:
        receiving = asyncio.create_task(receive(http, _local(started.urls.output), received))
        watching = asyncio.create_task(_follow_status(http, entry, streamed))
        try:
            received.started_s = asyncio.get_running_loop().time()  # kept in case it breaks off
            received.started_s = await send(http, _local(started.urls.input), clip)
            async with asyncio.timeout(_END_TIMEOUT_S):
                await watching
        except TimeoutError:
            streamed.is_ended = False
        except aiohttp.ClientError as error:
            msg = f"{entry.url} does not answer any more: {error}; see the container's log"
            raise BrokenOffError(msg) from error
        finally:
            watching.cancel()
            await orchestrator.stop_stream(started.stream_id)
            await receiving


async def _follow_status(http: aiohttp.ClientSession, entry: ModelEntry, streamed: Streamed) -> None:
    """Keep the stream's newest ``/stream/status`` until the stream ends."""
    headers = {"Authorization": f"Bearer {entry.token}"} if entry.token else {}
    while True:
        async with http.get(f"{entry.url}/stream/status", headers=headers) as answer:
            content = await answer.json()
        streams = content.get("streams", [])
        if not streams and streamed.status:
            streamed.status = content.get("last_ended") or streamed.status
            return
        streamed.status = streams[0] if streams else {}
        await asyncio.sleep(_POLL_S)


def _local(url: str) -> str:
    """Return a URL that works on this machine; a server that listens everywhere gives its URLs as 0.0.0.0."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:")
