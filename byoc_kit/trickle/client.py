"""The client side of trickle: reading a channel's segments, and publishing them.

The rules are go-livepeer's (trickle/README.md): 470 names the latest segment when one is missing, a closed channel says
so in a header of a 200, and a read error in mid-segment is resumed where it broke off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp

logger = logging.getLogger(__name__)

CLOSED_HEADER = "Lp-Trickle-Closed"
LATEST_HEADER = "Lp-Trickle-Latest"
SEQ_HEADER = "Lp-Trickle-Seq"

LATEST = -2
"""As a first sequence number: the segment being written, or the first one where nothing is written yet."""

_MISSING = 470
_CHUNK = 65_536
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 2.0
GIVE_UP_AFTER_S = 20.0


def client_session() -> aiohttp.ClientSession:
    """Return a session for live channels: no total time limit, since a quiet channel may live for hours."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))


class TrickleError(Exception):
    """A channel that could not be reached for ``GIVE_UP_AFTER_S`` seconds."""


class _Backoff:
    """Grows the pause between failed tries, and gives up after a deadline without one success."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since: float | None = None

    def succeeded(self) -> None:
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since = None

    async def failed(self, reason: object) -> None:
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = now
            logger.warning("%s: %s; trying again", self._url, reason)
        if now - self._failing_since > GIVE_UP_AFTER_S:
            msg = f"{self._url} could not be reached for {GIVE_UP_AFTER_S:.0f} s: {reason}"
            raise TrickleError(msg)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LAST_BACKOFF_S)


async def read_channel(
    session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST
) -> AsyncIterator[tuple[int, bytes]]:
    """Yield a channel's bytes as they come, each with its segment's number, until the channel ends.

    ``b""`` marks the end of a segment.
    A segment that is no longer there is skipped; one that breaks off is read again, without the part already yielded.
    Raises :class:`TrickleError` when the channel cannot be reached.
    """
    seq, received = first_seq, 0
    backoff = _Backoff(url)
    while True:
        try:
            async with session.get(f"{url}/{seq}") as response:
                if response.status == HTTPStatus.NOT_FOUND or CLOSED_HEADER in response.headers:
                    return
                if response.status == _MISSING:
                    backoff.succeeded()
                    seq, received = max(_number(response, LATEST_HEADER, 0), seq + 1 if seq >= 0 else 0), 0
                    continue
                if response.status != HTTPStatus.OK:
                    await backoff.failed(f"HTTP {response.status}")
                    continue
                backoff.succeeded()
                seq = _number(response, SEQ_HEADER, max(seq, 0))
                to_skip = received
                async for chunk in response.content.iter_chunked(_CHUNK):
                    fresh = chunk[to_skip:]
                    to_skip = max(0, to_skip - len(chunk))
                    if fresh:
                        received += len(fresh)
                        yield seq, fresh
                yield seq, b""
                seq, received = seq + 1, 0
        except aiohttp.ClientError as error:
            await backoff.failed(error or type(error).__name__)


async def read_messages(session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST) -> AsyncIterator[bytes]:
    """Yield a channel's segments whole, as the control channel's messages are; a message may span many chunks."""
    parts: list[bytes] = []
    async for _, chunk in read_channel(session, url, first_seq=first_seq):
        if chunk:
            parts.append(chunk)
        elif parts:
            yield b"".join(parts)
            parts = []


class SegmentPublisher:
    """Publishes segments in order, each streamed while it is made.

    ``open()`` begins a segment, ``write`` adds to it, ``close()`` ends the last one. The queue between is bounded: a
    writer waits while the network is slower. A segment whose POST fails is lost and counted; the next one goes on.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, content_type: str, *, max_chunks: int = 256) -> None:
        self.segments = 0
        self.segments_lost = 0
        self.bytes_sent = 0
        self.is_open = True
        self._session = session
        self._url = url
        self._content_type = content_type
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(max_chunks)

    async def put(self, data: bytes | None) -> None:
        """Queue bytes of the current segment; ``None`` begins the next one."""
        if self.is_open:
            await self._queue.put(data)

    async def finish(self) -> None:
        """Say that nothing follows; :meth:`run` then returns once all is sent."""
        if self.is_open:
            await self._queue.put(b"")

    async def run(self) -> None:
        """Send until :meth:`finish`, or until the channel is gone; raises :class:`TrickleError` out of reach."""
        backoff = _Backoff(self._url)
        seq = 0
        try:
            is_last = await self._drop_until_segment()
            while not is_last:
                body = _Body(self._queue)
                try:
                    headers = {"Content-Type": self._content_type}
                    async with self._session.post(f"{self._url}/{seq}", data=body.chunks(), headers=headers) as answer:
                        if answer.status == HTTPStatus.NOT_FOUND or CLOSED_HEADER in answer.headers:
                            return
                        answer.raise_for_status()
                    self.segments += 1
                    backoff.succeeded()
                except aiohttp.ClientError as error:
                    self.segments_lost += 1
                    await backoff.failed(error or type(error).__name__)
                finally:
                    self.bytes_sent += body.sent
                is_last = body.is_last or (not body.is_done and await self._drop_until_segment())
                seq += 1
        finally:
            self.is_open = False
            while not self._queue.empty():  # a writer that waits for room must not wait for ever
                self._queue.get_nowait()

    async def _drop_until_segment(self) -> bool:
        """Discard the rest of a broken segment; returns whether nothing follows."""
        while (item := await self._queue.get()) is not None:
            if item == b"":
                return True
        return False


class _Body:
    """The bytes of one segment, taken from the queue up to the next mark."""

    def __init__(self, queue: asyncio.Queue[bytes | None]) -> None:
        self.sent = 0
        self.is_done = False
        self.is_last = False
        self._queue = queue

    async def chunks(self) -> AsyncIterator[bytes]:
        while (item := await self._queue.get()) is not None:
            if item == b"":
                self.is_last = True
                break
            self.sent += len(item)
            yield item
        self.is_done = True


async def publish_message(session: aiohttp.ClientSession, url: str, message: bytes) -> None:
    """Publish one message as the channel's next segment. Raises :class:`TrickleError` if it is not taken."""
    try:
        async with session.post(f"{url}/-1", data=message, headers={"Content-Type": "application/json"}) as answer:
            answer.raise_for_status()
    except aiohttp.ClientError as error:
        msg = f"{url} did not take a message: {error or type(error).__name__}"
        raise TrickleError(msg) from error


def _number(response: aiohttp.ClientResponse, header: str, otherwise: int) -> int:
    try:
        return int(response.headers.get(header, otherwise))
    except ValueError:
        return otherwise
