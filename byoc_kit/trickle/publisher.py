"""Publishing a channel: segments streamed while they are made, and single messages."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from contextlib import suppress
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.connection import (
    CONNECT_TIMEOUT_S,
    REQUEST_TIMEOUT,
    Backoff,
    TrickleError,
    check_success,
    delete_channel,
    end_of_channel,
    reason_of,
)
from byoc_kit.trickle.protocol import RESET_HEADER

MAX_BYTES = 8 << 20
_WAITS_KEPT = 600


class SegmentBuffer:
    """Chunks of segments in order, bounded in bytes: whoever fills it waits while it is full.

    ``None`` begins a segment. What belongs to no segment is dropped. ``waits_s`` says how long each of the last 600
    chunks waited here; read it on the loop.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.waits_s: deque[float] = deque(maxlen=_WAITS_KEPT)
        self._max_bytes = max_bytes
        self._items: deque[tuple[float, bytes | None]] = deque()
        self._size = 0
        self._is_finished = False
        self._is_awaited = False
        self._changed = threading.Condition()
        self._has_room = asyncio.Event()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put_from_thread(self, data: bytes | None) -> None:
        """Add a chunk, or begin a segment; blocks while the buffer is full. Never call it on the loop itself.

        The loop is woken only where it waits for this very chunk.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_full)
            self._add(data)

    async def put(self, data: bytes | None) -> None:
        """Add a chunk, or begin a segment, on the loop; waits while the buffer is full."""
        while self._is_full:
            self._has_room.clear()
            await self._has_room.wait()
        with self._changed:
            self._add(data)

    def finish(self) -> None:
        """Say that nothing follows. What is there is still taken; who waits for room is let go, its chunk dropped."""
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()
            self._wake()
        self._has_room.set()

    def close(self) -> None:
        """Drop what is there and what follows."""
        with self._changed:
            self._items.clear()
            self._size = 0
        self.finish()

    async def next_segment(self) -> bool:
        """Drop what is left of this segment and wait for the next to begin; ``False`` if none follows."""
        while await self._until_item():
            _, data = self._take()
            if data is None:
                return True
        return False

    async def next_chunk(self) -> bytes | None:
        """Return the next bytes of this segment as soon as there are some; ``None`` at its end."""
        if not await self._until_item() or self._items[0][1] is None:
            return None
        added_s, data = self._take()
        self.waits_s.append(time.monotonic() - added_s)
        return data

    @property
    def _is_full(self) -> bool:
        return self._size >= self._max_bytes and not self._is_finished

    def _add(self, data: bytes | None) -> None:
        if self._is_finished or data == b"":
            return
        self._items.append((time.monotonic(), data))
        self._size += _size(data)
        self._wake()

    def _take(self) -> tuple[float, bytes | None]:
        with self._changed:
            item = self._items.popleft()
            self._size -= _size(item[1])
            self._changed.notify_all()
        self._has_room.set()
        return item

    async def _until_item(self) -> bool:
        while True:
            with self._changed:
                if self._items:
                    return True
                if self._is_finished:
                    return False
                self._is_awaited = True
                self._arrived.clear()
            await self._arrived.wait()

    def _wake(self) -> None:
        if self._is_awaited:
            self._is_awaited = False
            with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
                self._loop.call_soon_threadsafe(self._arrived.set)


def _size(data: bytes | None) -> int:
    return 1 if data is None else len(data)  # so that segments without a byte are bounded too


logger = logging.getLogger(__name__)

# The last one counts from the end of the body on: a segment may take as long as it likes, its answer may not.
_SEGMENT_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=10.0)


class ChannelPublisher:
    """Publishes to a channel until nothing follows, and then deletes it. Another class says what, and how.

    ``ended`` says why the channel took no more, where it did.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.ended: str | None = None
        self._session = session
        self._url = url
        self._written_s = -math.inf

    async def run(self) -> None:
        """Send until ``finish``, which deletes the channel at the end, or until the channel is gone.

        Raises ``TrickleError`` if the channel cannot be reached.
        """
        try:
            await self._send()
        except TrickleError as error:
            self.ended = str(error)
            raise
        finally:
            self._drop()
        if self.ended is None:
            await delete_channel(self._session, self._url, written_s=self._written_s)

    async def _send(self) -> None:
        """Send until nothing follows, or set ``ended``; ``_written_s`` is the loop's time when it last began to."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Let go of what is not sent, and of what follows."""
        raise NotImplementedError


class SegmentPublisher(ChannelPublisher):
    """Publishes segments in order from the channel's write head on, each streamed while it is made.

    Between writer and network are at most ``max_bytes``: a writer waits while that much is unsent. A segment whose POST
    fails is lost and counted, and the next one goes on.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        content_type: str,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(session, url)
        self.segments = 0
        self.segments_lost = 0
        self._content_type = content_type
        self._buffer = SegmentBuffer(max_bytes)

    @property
    def waits_s(self) -> deque[float]:
        """How long each of the last 600 chunks waited for the network, in seconds."""
        return self._buffer.waits_s

    async def put(self, data: bytes | None) -> None:
        """Add bytes to the current segment; ``None`` begins the next one. Once the channel is gone both do nothing."""
        await self._buffer.put(data)

    def begin_segment(self) -> None:
        """Begin the next segment, on any thread but the loop's; blocks while ``max_bytes`` are unsent."""
        self._buffer.put_from_thread(None)

    def write(self, data: bytes, /) -> None:
        """Add bytes to the segment, on any thread but the loop's; blocks while ``max_bytes`` are unsent."""
        self._buffer.put_from_thread(data)

    async def finish(self) -> None:
        """Say that nothing follows; never waits. ``run`` returns once all is sent."""
        self._buffer.finish()

    def _drop(self) -> None:
        self._buffer.close()

    async def _send(self) -> None:
        backoff, loop = Backoff(self._url), asyncio.get_running_loop()
        seq = await self._write_head(backoff)
        # A publisher before this one, or a POST that failed, may have left a segment open that readers wait for.
        is_reset_due = True
        while await self._buffer.next_segment():
            self._written_s = loop.time()
            try:
                is_whole = await self._post(seq, is_reset=is_reset_due)
            except (aiohttp.ClientError, OSError) as error:
                self.segments_lost += 1
                is_reset_due = True
                # What timed out was never answered, however long it was open.
                lasted_s = 0.0 if isinstance(error, TimeoutError) else loop.time() - self._written_s
                await backoff.failed(reason_of(error), lasted_s=lasted_s)
            else:
                if self.ended is not None:
                    return
                if is_whole:
                    self.segments += 1
                else:
                    self.segments_lost += 1  # closed by the server before its end
                is_reset_due = False
                backoff.succeeded()
            seq += 1

    async def _write_head(self, backoff: Backoff) -> int:
        while True:
            try:
                async with self._session.get(
                    f"{self._url}/next", timeout=REQUEST_TIMEOUT, allow_redirects=False
                ) as answer:
                    answer.raise_for_status()
                    return max(0, int(await answer.content.read(32)))
            except ValueError:
                return 0  # an older server, which has no such route
            except (aiohttp.ClientError, OSError) as error:
                if isinstance(error, aiohttp.ClientResponseError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return 0  # as above
                await backoff.failed(reason_of(error))

    async def _post(self, seq: int, *, is_reset: bool) -> bool:
        """Stream one segment; returns whether the server took all of it, and sets ``ended`` where it takes no more."""
        body = _SegmentBody(self._buffer)
        headers = {"Content-Type": self._content_type, **({RESET_HEADER: "1"} if is_reset else {})}
        is_answered = False
        try:
            url = f"{self._url}/{seq}"
            async with self._session.post(
                url, data=body, headers=headers, timeout=_SEGMENT_TIMEOUT, allow_redirects=False
            ) as answer:
                is_answered = True
                self.ended = end_of_channel(answer)
                if self.ended is None:
                    check_success(answer)
        finally:
            if not (is_answered and body.is_whole):
                body.abort()
        return body.is_whole


class _SegmentBody(aiohttp.Payload):
    """One segment as the body of a request, each chunk written as soon as it is there."""

    _autoclose = True

    def __init__(self, buffer: SegmentBuffer) -> None:
        super().__init__(buffer)
        self.is_whole = False
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._consumed = True
        if isinstance(writer, StreamWriter):
            self._transport = writer.transport
        while (chunk := await self._buffer.next_chunk()) is not None:
            await writer.write(chunk)
        self.is_whole = True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        msg = f"a segment is streamed and cannot be read as {encoding} text ({errors})"
        raise TypeError(msg)

    def abort(self) -> None:
        """Drop the connection at once: closing it would wait until a stalled server reads what is on its way."""
        if self._transport is not None:
            self._transport.abort()


async def publish_message(session: aiohttp.ClientSession, url: str, message: bytes) -> None:
    """Publish one message as the channel's next segment, within 10 s.

    Raises ``TrickleError`` if it is not taken.
    """
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(
            f"{url}/-1", data=message, headers=headers, timeout=REQUEST_TIMEOUT, allow_redirects=False
        ) as answer:
            check_success(answer)
    except (aiohttp.ClientError, OSError) as error:
        msg = f"{without_secrets(url)} did not take a message: {reason_of(error)}"
        raise TrickleError(msg) from error
