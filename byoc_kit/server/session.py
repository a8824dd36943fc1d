"""One live stream of the container: its channels, its pipeline, its parameters and its end."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from byoc_kit.core.params import Params, ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.publish import Publish, publishing_to
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.errors import text_of
from byoc_kit.server.ending import DRAIN_S, LAST_EVENT_S, LET_GO_S, STREAM_END_S
from byoc_kit.server.events import Events
from byoc_kit.server.hook_calls import HookCalls
from byoc_kit.server.live_runner import LiveSession
from byoc_kit.server.pipeline import Pipeline
from byoc_kit.server.requests import StartRequest, parse_control, parsed
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import Chosen, StreamParams
from byoc_kit.system.addresses import without_secrets
from byoc_kit.system.allocator import give_back_freed
from byoc_kit.system.concurrency import cancel_all, on_thread, take_error
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.connection import TrickleError, client_session
from byoc_kit.trickle.protocol import LATEST_WRITTEN, VIDEO_TYPE
from byoc_kit.trickle.publisher import DataPublisher, SegmentPublisher
from byoc_kit.trickle.subscriber import feed_channel, read_messages

logger = logging.getLogger(__name__)

_MAX_UNSENT = 1 << 20  # bytes; where the network is slower than the video, older frames are dropped instead


class Session:
    """A stream from start to end. ``run`` lives as long as the stream; ``stop`` ends it with its tail sent.

    ``live`` is the Live Runner session that it belongs to. Make it on a thread, since the parameters' validators are
    the notebook's own code. Raises ``ParamsError``, naming the field, for parameters that do not fit.
    """

    def __init__(
        self,
        stream_id: str,
        request: StartRequest,
        processor: FrameProcessor,
        settings: ServerSettings,
        *,
        live: LiveSession | None = None,
    ) -> None:
        self.id = stream_id
        self.request = request
        self.live = live
        self.state = "starting"
        self._processor = processor
        self._settings = settings
        self._values = StreamParams(processor.hooks.params_type, request.params or {})
        self._states = StreamStates()
        self._started_s = time.monotonic()
        self._pipeline: Pipeline | None = None
        self._publisher: SegmentPublisher | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._data: DataPublisher | None = None
        self._events: Events | None = None
        self._error: str | None = None
        self._ended_by: str | None = None
        self._hooks_turn = asyncio.Lock()
        self._hook_calls = HookCalls()
        self._ends_at_s = math.inf
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve the stream until its input or output ends or ``stop`` is called; then drain and let go of all."""
        async with client_session() as http:
            await self._run(http)
        await on_thread(give_back_freed, name=f"trim-{self.id}")

    async def _run(self, http: aiohttp.ClientSession) -> None:
        reporting = [asyncio.create_task(work, name=f"report-{self.id}") for work in self._reporting(http)]
        sending = self._start_sending(http)
        try:
            async with self._hooks_turn:
                if await self._start(self._processor, self._values.chosen.params):
                    self.state = "streaming"
            if self.state == "streaming":
                await self._stream(http)
        finally:
            self._begin_to_end()
            if self._pipeline is not None:
                self._pipeline.abandon()
                await self._joined(self._pipeline, LET_GO_S)
            async with self._hooks_turn:
                await self._call_hook("on_stream_stop", self._processor, self._processor.stop_stream)
            await self._end_sending(sending)
            await cancel_all(reporting)
            self.state = "ended"
            if self._events is not None:
                await self._events.publish("stream_stopped", self.status(), timeout_s=LAST_EVENT_S)

    def stop(self) -> None:
        """Ask the stream to end; ``run`` returns once its tail is out. May be called twice."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether the stream ends, or has ended."""
        return self._stopping.is_set()

    @property
    def is_hung(self) -> bool:
        """Whether a hook of the notebook, or a codec, is still at a stream that has ended."""
        return bool(self._hook_calls.at_work) or (self._pipeline is not None and self._pipeline.is_running)

    def stall(self) -> str | None:
        """Say which part of the kit's own stands still: the stream is lost, and others go on."""
        if self._pipeline is None:
            return None
        name, taking_s = self._pipeline.standing
        if taking_s <= self._settings.stall_timeout_s:
            return None
        return f"{name} has stood still for {taking_s:.0f} s; only a restart of the container frees its place"

    def trouble(self) -> str | None:
        """Say what others do wrong by this stream, which is no fault of the container."""
        if self._pipeline is None or self.state != "streaming":
            return None
        waited_s = self._pipeline.sending_s
        if waited_s > self._settings.stall_timeout_s:
            return f"the output channel has taken nothing for {waited_s:.0f} s"
        return self._pipeline.input.problem

    def problem(self) -> str | None:
        """Say why the container is not well, as far as this stream shows it."""
        at_work = self._hook_calls.at_work
        if self._pipeline is not None:
            at_work += self._pipeline.at_work
        for name, taking_s in at_work:
            if taking_s > self._longest_s(name):
                return f"{name} has not returned for {taking_s:.0f} s"
        if self._pipeline is None:
            return None
        stage, refused = self._pipeline.stage, self._pipeline.refused_in_a_row
        if stage.failures_in_a_row >= self._settings.max_failures and (newest := stage.last_failure):
            return f"the last {stage.failures_in_a_row} frames failed: {newest.error} at {newest.where}"
        if refused >= self._settings.max_failures:
            return f"the last {refused} frames could not be encoded: {self._pipeline.last_refusal}"
        return self._pipeline.error if self.state == "streaming" else None

    def _longest_s(self, hook: str) -> float:
        """Return how long a call of a hook may take."""
        usual_s, pipeline = self._settings.stall_timeout_s, self._pipeline
        is_first = hook == "process_frame" and pipeline is not None and pipeline.stage.is_at_first_frame
        return max(usual_s, self._settings.first_frame_timeout_s) if is_first else usual_s

    async def update_params(self, changes: dict[str, Any]) -> None:
        """Check and apply a change, after those before. Raises ``ParamsError`` naming the field.

        The last good values stay then.
        """
        await self._values.update(changes, timeout_s=self._settings.stall_timeout_s, take=self._run_with)

    def _run_with(self, chosen: Chosen) -> None:
        if self._pipeline is not None:
            self._pipeline.stage.params = chosen.params
            self._pipeline.input.size, self._pipeline.input.rate = chosen.size, chosen.rate

    async def swap(self, processor: FrameProcessor) -> None:
        """Go on with another processor: its ``on_stream_start`` before its first frame, the old one's stop after.

        What clients have set stays where the new class takes it; all else is that class's defaults.
        """
        async with self._hooks_turn:
            if self._stopping.is_set():
                return
            before, has_started = self._processor, self.state == "streaming"
            kind = processor.hooks.params_type
            seen, params = self._values.chosen, self._values.carried_over(kind, stream_id=self.id)
            if has_started and not await self._start(processor, params):
                return
            if self._values.chosen is not seen:  # changed while the hook ran
                params = self._values.carried_over(kind, stream_id=self.id)
            self._processor, self._values.chosen = processor, self._values.chosen._replace(params=params)
            if self._pipeline is not None:
                self._pipeline.swap(processor, params)
            if has_started:
                await self._call_hook("on_stream_stop", before, before.stop_stream)

    def status(self) -> dict[str, Any]:
        """Return what ``/stream/status`` and the status events show."""
        status: dict[str, Any] = {
            "stream_id": self.id,
            "state": self.state,
            "subscribe_url": self.request.subscribe_url and without_secrets(self.request.subscribe_url),
            "elapsed_s": round(time.monotonic() - self._started_s, 3),
            "params": self._values.shown(),
            "error": self._error or self.problem() or self.stall() or self.trouble(),
            "ended_by": self._ended_by,
        }
        if self.live is not None:
            status["is_live_session"] = True
        if self._pipeline is not None:
            status |= self._pipeline.status()
        if self._publisher is not None:
            status["segments_out"] = self._publisher.segments
            status["segments_lost"] = self._publisher.segments_lost
        if self._data is not None:
            status["data_lines_out"] = self._data.lines_sent
            status["data_lines_lost"] = self._data.lines_lost
        return status

    @property
    def _first_seq(self) -> int:
        """Where the reading of a channel begins: nobody has read before in one that was made for this stream."""
        return LATEST_WRITTEN if self.live is None else 0

    @property
    def _publish(self) -> Publish | None:
        return None if self._data is None else self._data.put_from_thread

    def _reporting(self, http: aiohttp.ClientSession) -> list[Coroutine[Any, Any, None]]:
        """Return what runs until the very end."""
        work: list[Coroutine[Any, Any, None]] = []
        if self.request.control_url:
            work.append(self._logged("control", self._follow_control(http, self.request.control_url)))
        if self.request.events_url:
            self._events = Events(http, self.request.events_url)
            work.append(self._logged("events", self._events.run(self.status)))
        return work

    def _start_sending(self, http: aiohttp.ClientSession) -> dict[str, asyncio.Task[None]]:
        """Start what sends the stream's own output, by the name of its channel."""
        work: dict[str, asyncio.Task[None]] = {}
        if self.request.publish_url:
            self._publisher = SegmentPublisher(http, self.request.publish_url, VIDEO_TYPE, max_bytes=_MAX_UNSENT)
            work["output"] = self._publishing = asyncio.create_task(self._publisher.run(), name=f"publish-{self.id}")
        if self.request.data_url:
            self._data = DataPublisher(http, self.request.data_url)
            work["data"] = asyncio.create_task(self._data.run(), name=f"data-{self.id}")
        return work

    async def _start(self, processor: FrameProcessor, params: Params) -> bool:
        settings = self._settings
        longest_s = max(settings.idle_timeout_s, settings.first_frame_timeout_s)
        # Nobody else ends a Live Runner's session whose client has gone, and no input is waited for yet.
        giving_up = asyncio.get_running_loop().call_later(longest_s, self.stop) if self.live is not None else None
        try:
            return await self._call_hook("on_stream_start", processor, lambda: processor.start_stream(params))
        finally:
            if giving_up is not None:
                giving_up.cancel()

    async def _call_hook(self, name: str, processor: FrameProcessor, call: Callable[[], None]) -> bool:
        """Call a hook of the notebook; returns whether it went well, and in time.

        What it raises ends the stream and is shown, and nothing else. One that does not return is left alone when the
        stream ends; ``is_hung`` and ``problem`` show it.
        """

        def run() -> None:
            with publishing_to(self._publish), self._states.entered():
                call()

        calling = self._hook_calls.begin(name, processor, run)
        stopping = asyncio.create_task(self._stopping.wait(), name=f"stopping-{self.id}")
        try:
            await asyncio.wait([calling] if self._is_ending else [calling, stopping], **self._time_left())
        finally:
            stopping.cancel()
        if not calling.done():
            calling.add_done_callback(take_error)
            logger.warning("stream %s: %s has not returned; the stream ends without it", self.id, name)
            return False
        error = calling.exception()
        if error is not None:
            said = processor.said(name, error)
            logger.error("stream %s: %s", self.id, said, exc_info=error)
            self._error = self._error or said
        return error is None

    async def _stream(self, http: aiohttp.ClientSession) -> None:
        stopped = asyncio.create_task(self._stopping.wait(), name=f"stopped-{self.id}")
        ends: dict[str, asyncio.Task[Any]] = {"stopped": stopped}
        if self._publishing is not None:
            ends["the output ended"] = self._publishing
        if not self.request.subscribe_url:
            await self._until_first(ends)
            return
        inlet = ByteInlet()
        chosen = self._values.chosen
        self._pipeline = Pipeline(
            self._processor,
            chosen.params,
            inlet,
            self._publisher,
            settings=self._settings,
            publish=self._publish,
            states=self._states,
            size=chosen.size,
            rate=chosen.rate,
            name=self.id,
        )
        self._pipeline.start()
        feeding = self._feed(http, self.request.subscribe_url, inlet)
        ends["the input ended"] = asyncio.create_task(feeding, name=f"feed-{self.id}")
        ends["the media path ended"] = asyncio.create_task(self._pipeline.ended.wait(), name=f"media-{self.id}")
        await self._until_first(ends)
        if self._error is None:
            self._error = self._pipeline.error
        inlet.end()
        if not await self._joined(self._pipeline, DRAIN_S):
            logger.warning("stream %s: its last frames were not out after %.1f s and are lost", self.id, DRAIN_S)

    async def _joined(self, pipeline: Pipeline, timeout_s: float) -> bool:
        """Wait for the pipeline's threads, on a thread of its own: those of asyncio's pool may all wait so."""
        return await on_thread(lambda: pipeline.join(timeout_s), name=f"join-{self.id}")

    async def _feed(self, http: aiohttp.ClientSession, url: str, inlet: ByteInlet) -> None:
        idle_s = self._settings.idle_timeout_s if self.live is not None else None
        if not await feed_channel(http, url, inlet, first_seq=self._first_seq, idle_timeout_s=idle_s):
            self._ended_by = f"no input for {idle_s:g} s"

    async def _until_first(self, ends: dict[str, asyncio.Task[Any]]) -> None:
        """Wait until one of the tasks ends, and note which; cancel the others, but not what sends the tail."""
        await asyncio.wait(ends.values(), return_when=asyncio.FIRST_COMPLETED)
        self._begin_to_end()
        for name, task in ends.items():
            if task.done() and not task.cancelled():
                self._ended_by = self._ended_by or name
                if error := task.exception():
                    self._fail(error)
        await cancel_all([task for task in ends.values() if task is not self._publishing])

    def _begin_to_end(self) -> None:
        """Give the end its time, and leave alone a hook of a swap that has not returned."""
        self.state = "stopping"
        self._stopping.set()
        self._ends_at_s = min(self._ends_at_s, time.monotonic() + STREAM_END_S)

    @property
    def _is_ending(self) -> bool:
        return self._ends_at_s < math.inf

    def _time_left(self) -> dict[str, Any]:
        """Return the arguments of ``asyncio.wait``: for the first of several, until the stream's end must be over."""
        left_s = max(0.1, self._ends_at_s - time.monotonic()) if self._is_ending else None
        return {"timeout": left_s, "return_when": asyncio.FIRST_COMPLETED}

    async def _end_sending(self, sending: dict[str, asyncio.Task[None]]) -> None:
        """Let what is made go out, within the time there is."""
        for publisher in (self._publisher, self._data):
            if publisher is not None:
                await publisher.finish()
        if not sending:
            return
        left_s = max(0.1, self._ends_at_s - time.monotonic())
        _, late = await asyncio.wait(sending.values(), timeout=left_s)
        await cancel_all(list(late))
        for name, task in sending.items():
            if task in late:
                logger.warning("stream %s: the %s channel did not take all in time", self.id, name)
            elif not task.cancelled() and (error := task.exception()):
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is not None:
            return
        self._error = text_of(error) or type(error).__name__
        if isinstance(error, TrickleError):
            logger.warning("stream %s ends: %s", self.id, error)
        else:
            logger.error("stream %s ends with an error", self.id, exc_info=error)

    async def _follow_control(self, http: aiohttp.ClientSession, url: str) -> None:
        try:
            async for message in read_messages(http, url, first_seq=self._first_seq):
                await self._take_control(message)
        except TrickleError as error:
            logger.warning("stream %s goes on without its control channel: %s", self.id, error)

    async def _take_control(self, message: bytes) -> None:
        try:
            if changes := await parsed(message, parse_control):
                await self.update_params(changes)
        except ParamsError as error:
            logger.warning("stream %s: a control message does not fit: %s; the last good values stay", self.id, error)

    async def _logged(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Say at once what breaks off work for a channel: nothing waits for it before the stream's own end."""
        try:
            await work
        except Exception:
            logger.exception("stream %s goes on without its %s channel", self.id, name)
