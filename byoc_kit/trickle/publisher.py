"""Publishing a channel: segments streamed while they are made, lines of JSON, and single messages."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections import deque
from contextlib import suppress
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.buffers import MAX_WRITE_BYTES, SegmentBuffer
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
from byoc_kit.trickle.protocol import DATA_TYPE, NEXT_WRITE, RESET_HEADER

logger = logging.getLogger(__name__)

MAX_LINES = 1000
MAX_DATA_SEGMENT = 65_536
KEEP_ALIVE_S = 60.0  # a server deletes a channel that has had no byte for 5 min
# The control channel's word. An empty line would not do: a gateway passes each line to its client, who expects JSON.
KEEP_ALIVE = b'{"keep": "alive"}\n'

# sock_read counts from the end of the body: a segment may take any time, but its answer may not.
_SEGMENT_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=10.0)


class ChannelPublisher:
    """Publishes to a channel until its end, and then deletes it. A subclass sends.

    ``ended`` says why the channel took no more, if that happened.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.ended: str | None = None
        self._session = session
        self._url = url
        self._written_s = -math.inf

    async def run(self) -> None:
        """Send until ``finish`` and then delete the channel, or until the channel is gone.

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
        """Send until nothing follows, or set ``ended``; set ``_written_s`` to the loop's time before each request."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Drop what is not sent, and what follows."""
        raise NotImplementedError


class SegmentPublisher(ChannelPublisher):
    """Publishes segments in order, from the channel's write head on. Each is streamed while it is made.

    A writer waits while ``max_bytes`` are unsent. A segment whose POST fails is lost and counted, and publishing goes
    on with the next one.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        content_type: str,
        *,
        max_bytes: int = MAX_WRITE_BYTES,
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
        """Add bytes to the current segment; ``None`` begins the next one. Does nothing once the channel is gone."""
        await self._buffer.put(data)

    def begin_segment(self) -> None:
        """Begin the next segment, on any thread but the loop's; blocks while ``max_bytes`` are unsent."""
        self._buffer.put_from_thread(None)

    def write(self, data: bytes, /) -> None:
        """Add bytes to the segment, on any thread but the loop's; blocks while ``max_bytes`` are unsent."""
        self._buffer.put_from_thread(data)

    async def finish(self) -> None:
        """End the segments; returns at once. ``run`` returns when all is sent."""
        self._buffer.finish()

    def _drop(self) -> None:
        self._buffer.close()

    async def _send(self) -> None:
        backoff, loop = Backoff(self._url), asyncio.get_running_loop()
        seq = await self._write_head(backoff)
        # An earlier publisher, or a failed POST, may have left a segment open that readers wait for.
        is_reset_due = True
        while await self._buffer.next_segment():
            self._written_s = loop.time()
            try:
                is_whole = await self._post(seq, is_reset=is_reset_due)
            except (aiohttp.ClientError, OSError) as error:
                self.segments_lost += 1
                is_reset_due = True
                # A request that timed out got no answer, however long it was open.
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
                    return 0  # such a server too
                await backoff.failed(reason_of(error))

    async def _post(self, seq: int, *, is_reset: bool) -> bool:
        """Stream one segment. Returns whether the server took all of it; sets ``ended`` if it takes no more."""
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
    """One segment as the body of a request. Each chunk is written as soon as it comes."""

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
        """Drop the connection at once: closing it would wait until a stalled server has read what was sent."""
        if self._transport is not None:
            self._transport.abort()


class DataPublisher(ChannelPublisher):
    """Publishes the lines of the data channel, JSON objects (``application/jsonl``), in order.

    When a POST is done, all lines that wait go out as one segment. At most ``max_lines`` wait: when there are more, the
    oldest is dropped and counted in ``lines_lost``. Lines of a failed POST are sent again; if only its answer was lost,
    a reader gets them twice. After a minute without a line, ``{"keep": "alive"}`` keeps the channel open; it is not
    counted. If the channel ends before ``finish``, that is logged.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        max_lines: int = MAX_LINES,
    ) -> None:
        super().__init__(session, url)
        self.lines_sent = 0
        self.lines_lost = 0
        self._lines: deque[bytes] = deque()
        self._max_lines = max_lines
        self._is_finished = False
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put_from_thread(self, line: bytes) -> None:
        """Queue a line made by ``encode_line``. Never blocks; any thread may call it."""
        with self._lock:
            if self._is_finished:
                self.lines_lost += 1
                return
            if len(self._lines) >= self._max_lines:
                self._lines.popleft()
                self.lines_lost += 1
            self._lines.append(line)
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
            self._loop.call_soon_threadsafe(self._changed.set)

    async def finish(self) -> None:
        """End the lines; returns at once. ``run`` returns when all are sent."""
        with self._lock:
            self._is_finished = True
        self._changed.set()

    async def _send(self) -> None:
        backoff = Backoff(self._url)
        is_reset_due = False
        while self.ended is None and await self._until_due(0 if is_reset_due else KEEP_ALIVE_S):
            batch = self._take_batch()
            is_taken = False
            self._written_s = self._loop.time()
            try:
                is_taken = await self._post(batch, is_reset=is_reset_due)
                is_reset_due = False
                backoff.succeeded()
            except (aiohttp.ClientError, OSError) as error:
                is_reset_due = True  # readers would wait for the rest of a half-written segment
                await backoff.failed(reason_of(error))
            finally:
                if not is_taken:
                    self._put_back(batch)

    async def _post(self, batch: list[bytes], *, is_reset: bool) -> bool:
        """Send lines, or the one that keeps the channel alive, as one segment.

        Returns whether the server took them; sets ``ended`` if it takes no more.
        """
        headers = {"Content-Type": DATA_TYPE, **({RESET_HEADER: "1"} if is_reset else {})}
        url, body = f"{self._url}/{NEXT_WRITE}", b"".join(batch) or KEEP_ALIVE
        async with self._session.post(
            url, data=body, headers=headers, timeout=REQUEST_TIMEOUT, allow_redirects=False
        ) as answer:
            self.ended = end_of_channel(answer)
            if self.ended is not None:
                return False
            check_success(answer)
        self.lines_sent += len(batch)
        return True

    async def _until_due(self, quiet_s: float) -> bool:
        """Wait for a line, at most for ``quiet_s``; ``False`` if none follows."""
        with suppress(TimeoutError):
            async with asyncio.timeout(quiet_s):
                while not self._lines and not self._is_finished:
                    self._changed.clear()
                    await self._changed.wait()
        return bool(self._lines) or not self._is_finished

    def _take_batch(self) -> list[bytes]:
        """Take the oldest lines, as many as fit in ``MAX_DATA_SEGMENT`` bytes, but at least one, if any waits."""
        batch: list[bytes] = []
        size = 0
        with self._lock:
            while self._lines and (not batch or size + len(self._lines[0]) <= MAX_DATA_SEGMENT):
                size += len(self._lines[0])
                batch.append(self._lines.popleft())
        return batch

    def _put_back(self, batch: list[bytes]) -> None:
        """Put unsent lines back in front; if there is no room for all, the oldest are lost."""
        with self._lock:
            self._lines.extendleft(reversed(batch))
            while len(self._lines) > self._max_lines:
                self._lines.popleft()
                self.lines_lost += 1

    def _drop(self) -> None:
        if self.ended is not None and not self._is_finished:
            url = without_secrets(self._url)
            logger.warning("%s: %s; what is published from now on is lost", url, self.ended)
        with self._lock:
            self._is_finished = True
            self.lines_lost += len(self._lines)
            self._lines.clear()


async def publish_message(session: aiohttp.ClientSession, url: str, message: bytes) -> None:
    """Publish one message as the channel's next segment, within 10 s.

    Raises ``TrickleError`` if it is not taken.
    """
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(
            f"{url}/{NEXT_WRITE}", data=message, headers=headers, timeout=REQUEST_TIMEOUT, allow_redirects=False
        ) as answer:
            check_success(answer)
    except (aiohttp.ClientError, OSError) as error:
        msg = f"{without_secrets(url)} did not take a message: {reason_of(error)}"
        raise TrickleError(msg) from error
