"""Reads a channel: one segment after the other. The next one is asked for while the present one is still coming.

The rules are go-livepeer's (trickle/README.md). If a segment is missing, the answer is 470 with the write head. A
closed channel says so in a header of a 200. A segment that breaks off is read again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

import aiohttp

from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.connection import (
    CONNECT_TIMEOUT_S,
    REQUEST_TIMEOUT,
    AnswerError,
    Backoff,
    check_success,
    end_of_channel,
    reason_of,
    sequence_number,
)
from byoc_kit.trickle.protocol import (
    LATEST_HEADER,
    LATEST_WRITTEN,
    NEXT_WRITE,
    SEGMENT_MISSING_STATUS,
    SEGMENTS_PER_CHANNEL,
    SEQ_HEADER,
)

logger = logging.getLogger(__name__)

MAX_MESSAGE = 10 << 20

_CHUNK = 65_536
_EMPTY_ANSWER_PAUSE_S = 0.2
_LEAST_PAUSE_S = 0.005  # between answers: no channel has 200 segments a second for long
_SWEPT_AFTER_S = 290.0  # a trickle server closes a channel 300 s after the first byte of its last segment
_WAITING = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S)


async def read_channel(
    session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST_WRITTEN
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield a channel's bytes as they come, each with its segment's number, until the channel ends.

    ``b""`` marks the end of a segment. If the rest of a segment is lost, there is no ``b""``, and the number changes. A
    segment that is no longer there is skipped. One that breaks off is read again, without the part already yielded. If
    a publisher starts again at 0, its predecessor's segments are not read again. Raises ``TrickleError`` if the channel
    cannot be reached, or if what answers is not a channel. If you leave the generator before its end, close it
    (``contextlib.aclosing``): it holds two connections.
    """
    backoff = Backoff(url)
    place = _Place(first_seq)
    requests = _Requests(session, url)
    try:
        while True:
            try:
                await place.until_written(requests)
                async with await requests.take(place.seq) as response:
                    if end_of_channel(response):
                        return
                    if response.status == SEGMENT_MISSING_STATUS:
                        backoff.succeeded()
                        await place.skip(response)
                        continue
                    check_success(response)
                    place.begin(response)
                    if not place.may_be_old(place.seq + 1):
                        requests.open(place.seq + 1)
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        if fresh := place.fresh(chunk):
                            backoff.succeeded()
                            yield place.seq, fresh
                backoff.succeeded()
                yield place.seq, b""
                await place.end()
            except (aiohttp.ClientError, OSError) as error:
                await backoff.failed(reason_of(error), lasted_s=requests.open_s)
    finally:
        await requests.close()


async def read_messages(
    session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST_WRITTEN
) -> AsyncGenerator[bytes, None]:
    """Yield each segment of a channel whole, as one message. The control channel's messages come so.

    A message that is larger than ``MAX_MESSAGE``, or whose end is lost, is skipped.
    """
    message, current = bytearray(), None
    async with aclosing(read_channel(session, url, first_seq=first_seq)) as chunks:
        async for seq, chunk in chunks:
            if seq != current:
                message, current, is_too_large = bytearray(), seq, False
            if not chunk:
                if message:
                    yield bytes(message)
                current = None
            elif len(message) + len(chunk) <= MAX_MESSAGE and not is_too_large:
                message += chunk
            elif not is_too_large:
                shown = without_secrets(url)
                logger.warning("%s/%d is larger than %d bytes; the message is skipped", shown, seq, MAX_MESSAGE)
                message, is_too_large = bytearray(), True


async def feed_channel(
    http: aiohttp.ClientSession,
    url: str,
    inlet: ByteInlet,
    *,
    first_seq: int = LATEST_WRITTEN,
    idle_timeout_s: float | None = None,
) -> bool:
    """Feed a channel's bytes to an inlet until the channel ends, or, with ``False``, until none come for a time.

    The time is ``idle_timeout_s``. Raises ``TrickleError`` like ``read_channel``.
    """
    loop = asyncio.get_running_loop()
    came_s = loop.time()

    def idle_at() -> float | None:
        return None if idle_timeout_s is None else came_s + idle_timeout_s

    try:
        async with (
            asyncio.timeout_at(idle_at()) as idle,
            aclosing(read_channel(http, url, first_seq=first_seq)) as chunks,
        ):
            async for _, chunk in chunks:
                idle.reschedule(None)  # the time does not count while the inlet is full
                await inlet.feed(chunk)
                came_s = loop.time() if chunk else came_s
                idle.reschedule(idle_at())
    except TimeoutError:
        return False
    finally:
        del idle  # it refers to the task, whose CancelledError refers to this frame: only the collector would free them
    if (silent_s := loop.time() - came_s) > _SWEPT_AFTER_S:
        said = "%s was closed after %.0f s without input; a trickle server does so after 5 minutes"
        logger.warning(said, without_secrets(url), silent_s)
    return True


class _Place:
    """The place of a reader: the segment it asks for, and how much of it has come."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self._received = 0
        self._to_skip = 0
        self._last_read: int | None = None
        self._empty_answer_s = -math.inf
        self._write_head = 0
        self._may_be_old = range(0)

    def begin(self, response: aiohttp.ClientResponse) -> None:
        """Take the segment's number from its answer; bytes that have already come will be skipped.

        Raises ``AnswerError`` if the answer is not that of a channel, or if its number is lower.
        """
        if SEQ_HEADER not in response.headers:
            msg = f"HTTP {response.status} without {SEQ_HEADER}, so it is no trickle channel"
            raise AnswerError(msg)
        seq = sequence_number(response, SEQ_HEADER, max(self.seq, 0))
        if seq < self.seq:
            msg = f"it answers with segment {seq} where {self.seq} was asked for"
            raise AnswerError(msg)
        if seq != self.seq:
            self.seq, self._received = seq, 0
        self._to_skip = self._received

    def fresh(self, chunk: bytes) -> bytes:
        """Return the part of a chunk that has not come before."""
        fresh = chunk[self._to_skip :]
        self._to_skip -= len(chunk) - len(fresh)
        self._received += len(fresh)
        return fresh

    async def end(self) -> None:
        """Go on to the next segment."""
        if not self._received:
            await self._pace()
        self._last_read = self.seq
        self.seq, self._received = self.seq + 1, 0

    async def skip(self, response: aiohttp.ClientResponse) -> None:
        """Go to the segment that a 470 names: forward, or back if a publisher or a server has started again.

        If it names the segment just asked for, or just read, the next one is asked for: a publisher drops a segment by
        closing it empty, and goes on with the next.
        """
        await self._pace()
        latest = sequence_number(response, LATEST_HEADER, NEXT_WRITE)
        if self._last_read is not None and 0 <= latest < self._last_read:
            self._restart(latest, self._last_read)
            return
        is_known = latest in (self.seq, self._last_read)
        self.seq, self._received = latest + 1 if is_known else latest, 0

    def _restart(self, write_head: int, last_read: int) -> None:
        """Go back to the segment that is being written. After it, the ring may still have old segments."""
        oldest, behind_newest = last_read + 1 - SEGMENTS_PER_CHANNEL, last_read + 1
        self._may_be_old = range(max(oldest, write_head), min(behind_newest, write_head + SEGMENTS_PER_CHANNEL - 1))
        self._write_head = write_head
        self._last_read = None
        self.seq, self._received = max(write_head - 1, 0), 0

    def may_be_old(self, seq: int) -> bool:
        """Whether the ring may still have this segment from before the restart, and would answer with that."""
        return seq in self._may_be_old and seq >= self._write_head

    async def until_written(self, requests: _Requests) -> None:
        """Wait, by the channel's write head if it tells it, until the segment to ask for cannot be an old one."""
        while self.may_be_old(self.seq):
            head = await requests.write_head()
            if head is None:
                self._may_be_old = range(0)
            elif head <= self.seq:
                await asyncio.sleep(_EMPTY_ANSWER_PAUSE_S)
            else:
                self._write_head = head

    async def _pace(self) -> None:
        """Pause between empty answers: no server may be asked without a pause, whatever it answers."""
        loop = asyncio.get_running_loop()
        due_s = self._empty_answer_s + _EMPTY_ANSWER_PAUSE_S
        if (pause_s := due_s - loop.time()) > 0:
            await asyncio.sleep(pause_s)
        self._empty_answer_s = loop.time()


class _Requests:
    """The request for the next segment, made ahead. There is at most one, and its connection is always closed."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._seq = 0
        self._opened_s = 0.0
        self._taken_s = -math.inf
        self._task: asyncio.Task[aiohttp.ClientResponse] | None = None

    @property
    def open_s(self) -> float:
        """Seconds since the newest request was made."""
        return asyncio.get_running_loop().time() - self._opened_s

    def open(self, seq: int) -> None:
        """Ask for a segment while another is read. The server answers with its first byte."""
        self._seq = seq
        self._opened_s = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._get(seq), name=f"GET {self._url}/{seq}")

    async def take(self, seq: int) -> aiohttp.ClientResponse:
        """Return the answer for a segment: that of the request made ahead if it is for this one, else of a new one."""
        if self._task is None or self._seq != seq:
            await self.close()
            self.open(seq)
        assert self._task is not None  # noqa: S101  # open has made it
        await asyncio.wait([self._task])
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._taken_s + _LEAST_PAUSE_S - loop.time())
        self._taken_s = loop.time()
        task, self._task = self._task, None
        return task.result()

    async def close(self) -> None:
        """Cancel the request that was made ahead, if nobody has taken it."""
        task, self._task = self._task, None
        if task is None:
            return
        task.add_done_callback(_discard)  # this also runs if close itself is cancelled
        task.cancel()
        await asyncio.wait([task])
        _discard(task)

    async def write_head(self) -> int | None:
        """Return the number of the segment that is written next; ``None`` if the server does not say it."""
        url = f"{self._url}/next"
        async with self._session.get(url, timeout=REQUEST_TIMEOUT, allow_redirects=False) as answer:
            said = await answer.content.read(18)
            return int(said) if answer.status == HTTPStatus.OK and said.isdigit() else None

    async def _get(self, seq: int) -> aiohttp.ClientResponse:
        return await self._session.get(f"{self._url}/{seq}", timeout=_WAITING, allow_redirects=False)


def _discard(task: asyncio.Task[aiohttp.ClientResponse]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
