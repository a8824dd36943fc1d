"""One picture through a processor's hooks, as a stream of a single frame."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.errors import ByocKitError
from byoc_kit.media.still import Still, read_still
from byoc_kit.server.ending import DRAIN_S, STREAM_END_S
from byoc_kit.server.hook_calls import HookCalls
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import Chosen, validated
from byoc_kit.system.concurrency import on_thread, take_error

logger = logging.getLogger(__name__)


class HookError(ByocKitError):
    """A hook raised; the text says where."""


class HungHookError(ByocKitError):
    """A hook has not returned in time; it is left alone."""


class Written(NamedTuple):
    """A picture as a file."""

    format: str
    data: bytes


class OnePicture:
    """A picture from its bytes to those of the result. ``process`` it once.

    It takes a place of the capacity as a stream does, and keeps it while a hook hangs. Each hook has a thread of its
    own, and as long as a stream's has: ``process_frame`` as long as for a first frame.
    """

    def __init__(self, processor: FrameProcessor, settings: ServerSettings) -> None:
        self._processor = processor
        self._settings = settings
        self._hook_calls = HookCalls()
        self._states = StreamStates()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    async def process(self, data: bytes, changes: dict[str, Any], choose: Callable[[str], str]) -> Written | None:
        """Return what the hooks make of a picture; ``None`` where they drop it. ``choose`` gets the picture's format.

        Raises ``MediaError`` for bytes that are no picture, ``ParamsError`` for parameters that do not fit,
        ``HookError`` or ``HungHookError``, and ``UnwritableError``.
        """
        try:
            check = partial(Chosen.of, self._processor.hooks.params_type, changes)
            chosen = await validated(check, self._settings.stall_timeout_s)
            still = await on_thread(partial(read_still, data), name="read_picture")
            output = await self._run(still, chosen)
            if output is None:
                return None
            wanted = choose(still.format)
            data = await on_thread(lambda: still.written(output.view(), wanted), name="write_picture")
            return Written(wanted, data)
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Return once the picture is done with; a hook that has begun gets the time of a stream's last frames."""
        self._stopping.set()
        try:
            async with asyncio.timeout(STREAM_END_S):
                await self._ended.wait()
        except TimeoutError:
            logger.warning("a picture was not processed when the server stopped, and is lost")

    @property
    def is_hung(self) -> bool:
        """Whether a hook is still at a picture that has been given up."""
        return bool(self._hook_calls.at_work)

    def stall(self) -> str | None:
        """Say what of the kit's own stands still: nothing does here."""
        return None

    def problem(self) -> str | None:
        """Say which hook takes longer than it may."""
        for name, taking_s in self._hook_calls.at_work:
            if taking_s > self._longest_s(name):
                return f"{name} has not returned for {taking_s:.0f} s"
        return None

    async def _run(self, still: Still, chosen: Chosen) -> VideoFrame | None:
        """Run the hooks in their order, ``on_stream_stop`` also after one that fails."""
        outputs: list[VideoFrame | None] = []

        def process_frame() -> None:
            frame = chosen.size.fit(VideoFrame.from_pixels(still.pixels))
            outputs.append(self._processor.process(frame, chosen.params))

        try:
            await self._call("on_stream_start", lambda: self._processor.start_stream(chosen.params))
            await self._call("process_frame", process_frame)
        finally:
            with suppress(HookError, HungHookError):  # it is logged, and the picture is there
                await self._call("on_stream_stop", self._processor.stop_stream)
        return outputs[0]

    async def _call(self, name: str, call: Callable[[], None]) -> None:
        def run() -> None:
            with self._states.entered():
                call()

        longest_s = 0.0 if self.is_hung else self._longest_s(name)  # it begins once the one that hangs has returned
        calling = self._hook_calls.begin(name, self._processor, run)
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        try:
            await asyncio.wait([calling, stopping], timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                await asyncio.wait([calling], timeout=min(longest_s, DRAIN_S))
        finally:
            stopping.cancel()
        if not calling.done():
            calling.add_done_callback(take_error)
            msg = f"{name} has not returned in time"
            logger.warning("a picture: %s", msg)
            raise HungHookError(msg)
        if error := calling.exception():
            msg = self._processor.said(name, error)
            logger.error("a picture: %s", msg)
            raise HookError(msg)

    def _longest_s(self, name: str) -> float:
        usual_s = self._settings.stall_timeout_s
        return max(usual_s, self._settings.first_frame_timeout_s) if name == "process_frame" else usual_s
