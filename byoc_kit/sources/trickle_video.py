"""Plays the video of a trickle channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.decode import PictureCounts, VideoDecoder
from byoc_kit.media.demux import MediaError
from byoc_kit.media.programs import read_programs
from byoc_kit.system.concurrency import LoopThread

if TYPE_CHECKING:
    from byoc_kit.trickle.buffers import ByteInlet

logger = logging.getLogger(__name__)

FIRST_BYTES_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 5.0


class TrickleVideo:
    """The frames of a channel of MPEG-TS segments, from the newest segment on, decoded as byoc-kit's server does.

    If the reader falls behind, it misses whole segments, which the trickle server drops.
    """

    def __init__(self, url: str, *, name: str | None = None) -> None:
        self.name = name or url
        self._url = url
        self._error: Exception | None = None
        self._is_closed = False
        self._inlet: ByteInlet | None = None

    def frames(self) -> Generator[VideoFrame]:
        """See ``LiveSource.frames``. The first bytes must come within 10 s."""
        loop = LoopThread("source-channel")  # the inlet needs the loop until all of it is read
        try:
            self._inlet = loop.run(_new_inlet())
            if self._is_closed:
                self._inlet.end()
            loop.begin(self._feed(self._inlet))
            yield from self._read(self._inlet)
        finally:
            loop.close()
            loop.join(_END_TIMEOUT_S)

    def close(self) -> None:
        """See ``LiveSource.close``."""
        self._is_closed = True
        if self._inlet is not None:
            with suppress(RuntimeError):  # its loop has ended, so nobody waits
                self._inlet.end()

    def _read(self, inlet: ByteInlet) -> Generator[VideoFrame]:
        has_frame = False
        for frame in self._decode(inlet):
            has_frame = True
            yield frame
        if self._error is not None:
            raise self._error
        if not has_frame and not self._is_closed:
            msg = f"{self.name} ended without a picture that can be decoded; choose another source"
            raise MediaError(msg)

    def _decode(self, inlet: ByteInlet) -> Generator[VideoFrame]:
        for program in read_programs(inlet, self._fault):
            decoder: VideoDecoder | None = None
            for packet in program.packets():
                if self._is_closed:
                    return
                if isinstance(packet.stream, VideoStream):
                    decoder = decoder or VideoDecoder(packet.stream, PictureCounts(), self._fault)
                    yield from decoder.decode(packet)

    def _fault(self, kind: str, error: Exception) -> None:
        logger.info("%s: %s: %s", self.name, kind, error)

    async def _feed(self, inlet: ByteInlet) -> None:
        from byoc_kit.trickle.connection import TrickleError, client_session
        from byoc_kit.trickle.subscriber import read_channel

        try:
            async with client_session() as http, aclosing(read_channel(http, self._url)) as chunks:
                async with asyncio.timeout(FIRST_BYTES_TIMEOUT_S):
                    _, chunk = await anext(chunks, (0, b""))
                await inlet.feed(chunk)
                async for _, chunk in chunks:
                    await inlet.feed(chunk)
        except TimeoutError:
            self._error = MediaError(
                f"nothing has come on {self.name} for {FIRST_BYTES_TIMEOUT_S:.0f} s; start what sends to it"
            )
        except TrickleError as error:
            self._error = MediaError(f"{self.name} broke off: {error}; choose it again when it is back")
        except Exception as error:  # noqa: BLE001  # it is raised where the frames are read
            self._error = error
        finally:
            inlet.end()


async def _new_inlet() -> ByteInlet:
    """Make an inlet of the running loop."""
    from byoc_kit.trickle.buffers import ByteInlet

    return ByteInlet()
