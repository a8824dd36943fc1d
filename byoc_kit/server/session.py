"""One live stream of the container: its channels, its pipeline, its parameters and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import aiohttp

from byoc_kit.background import on_thread
from byoc_kit.params import Params, ParamsError, parse_changes
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.pipeline import Pipeline
from byoc_kit.server.pipes import ByteInlet, SegmentOutlet
from byoc_kit.server.requests import StartRequest
from byoc_kit.trickle.client import (
    SegmentPublisher,
    TrickleError,
    client_session,
    publish_message,
    read_channel,
    read_messages,
)

logger = logging.getLogger(__name__)

STATUS_INTERVAL_S = 5.0
DRAIN_S = 5.0
VIDEO_TYPE = "video/MP2T"


class Session:
    """A stream from start to end. :meth:`run` lives as long as the stream; :meth:`stop` ends it with its tail sent."""

    def __init__(self, stream_id: str, request: StartRequest, processor: FrameProcessor, params: Params) -> None:
        self.id = stream_id
        self.request = request
        self._processor = processor
        self._params = params
        self._started_s = time.monotonic()
        self._pipeline: Pipeline | None = None
        self._publisher: SegmentPublisher | None = None
        self._http: aiohttp.ClientSession | None = None
        self._error: str | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve the stream until its input ends or :meth:`stop` is called; then drain and let go of everything."""
        async with client_session() as self._http:
            helpers = [asyncio.create_task(work) for work in self._helpers(self._http)]
            try:
                await on_thread(lambda: self._processor.start_stream(self._params), name="on_stream_start")
                await self._stream(self._http)
            except TrickleError as error:
                self._error = str(error)
                logger.warning("stream %s ended: %s", self.id, error)
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
                await on_thread(self._processor.stop_stream, name="on_stream_stop")
                await self._report("stream_stopped")

    def stop(self) -> None:
        """Ask the stream to end; :meth:`run` returns once its tail is out. May be called twice."""
        self._stopping.set()

    @property
    def params(self) -> Params:
        """The parameters that the next frame will see."""
        return self._params

    def update_params(self, raw: Any) -> None:
        """Check and apply a change. Raises :class:`ParamsError` naming the field; the last good values stay."""
        self._params = self._params.updated(parse_changes(raw))
        if self._pipeline is not None:
            self._pipeline.stage.params = self._params

    def status(self) -> dict[str, Any]:
        """Return what ``/stream/status`` and the status events show."""
        elapsed_s = time.monotonic() - self._started_s
        status: dict[str, Any] = {
            "stream_id": self.id,
            "elapsed_s": round(elapsed_s, 3),
            "params": self._params.model_dump(mode="json"),
            "error": self._error,
        }
        if self._pipeline is not None:
            status |= asdict(self._pipeline.stage.stats())
            status["frames_encoded"] = self._pipeline.frames_encoded
            status["faults"] = dict(self._pipeline.faults)
            status["fps"] = round(self._pipeline.frames_encoded / elapsed_s, 2) if elapsed_s else 0.0
        if self._publisher is not None:
            status["segments_out"] = self._publisher.segments
            status["segments_lost"] = self._publisher.segments_lost
        return status

    def _helpers(self, http: aiohttp.ClientSession) -> list[Coroutine[Any, Any, None]]:
        helpers: list[Coroutine[Any, Any, None]] = []
        if self.request.control_url:
            helpers.append(self._follow_control(http, self.request.control_url))
        if self.request.events_url:
            helpers.append(self._report_status())
        return helpers

    async def _stream(self, http: aiohttp.ClientSession) -> None:
        if not self.request.subscribe_url:
            await self._stopping.wait()
            return
        inlet = ByteInlet()
        outlet, publishing = None, None
        if self.request.publish_url:
            self._publisher = SegmentPublisher(http, self.request.publish_url, VIDEO_TYPE)
            outlet = SegmentOutlet(self._publisher)
            publishing = asyncio.create_task(self._publisher.run(), name=f"publish-{self.id}")
        self._pipeline = Pipeline(self._processor, self._params, inlet, outlet, name=self.id)
        self._pipeline.start()
        try:
            await self._ingest(http, self.request.subscribe_url, inlet)
            await self._drain(inlet, publishing)
        finally:
            self._pipeline.abandon()
            if publishing is not None:
                publishing.cancel()
                with suppress(asyncio.CancelledError):
                    await publishing

    async def _ingest(self, http: aiohttp.ClientSession, url: str, inlet: ByteInlet) -> None:
        """Feed the input until it ends, or until the session is stopped."""

        async def feed() -> None:
            async for _, chunk in read_channel(http, url):
                await inlet.feed(chunk)

        feeding = asyncio.create_task(feed(), name=f"ingest-{self.id}")
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([feeding, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding

    async def _drain(self, inlet: ByteInlet, publishing: asyncio.Task[None] | None) -> None:
        assert self._pipeline is not None  # noqa: S101  # _stream made it
        inlet.end()
        ends_s = time.monotonic() + DRAIN_S
        is_drained = await asyncio.to_thread(self._pipeline.join, DRAIN_S)
        if publishing is not None and self._publisher is not None:
            await self._publisher.finish()
            _, late = await asyncio.wait([publishing], timeout=max(0.1, ends_s - time.monotonic()))
            is_drained = is_drained and not late
        if not is_drained:
            logger.warning("stream %s: its last frames were not out after %.0f s and are lost", self.id, DRAIN_S)

    async def _follow_control(self, http: aiohttp.ClientSession, url: str) -> None:
        try:
            async for message in read_messages(http, url):
                self._take_control(message)
        except TrickleError as error:
            logger.warning("stream %s goes on without its control channel: %s", self.id, error)

    def _take_control(self, message: bytes) -> None:
        try:
            content = json.loads(message)
        except ValueError:
            logger.warning("stream %s: a control message is no JSON; ignored", self.id)
            return
        if isinstance(content, dict) and set(content) <= {"keep"}:
            return
        try:
            self.update_params(content)
        except ParamsError as error:
            logger.warning("stream %s: a control message does not fit: %s; the last good values stay", self.id, error)

    async def _report_status(self) -> None:
        """Publish a status at once and every 5 s: the gateway ends a stream that has said nothing for 30 s."""
        while True:
            await self._report("status")
            await asyncio.sleep(STATUS_INTERVAL_S)

    async def _report(self, kind: str) -> None:
        if not self.request.events_url or self._http is None:
            return
        event = {"type": kind, "timestamp": int(time.time() * 1000), **self.status()}
        try:
            await publish_message(self._http, self.request.events_url, json.dumps(event).encode())
        except TrickleError as error:
            logger.info("stream %s: an event was lost: %s", self.id, error)
