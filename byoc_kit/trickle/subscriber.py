"""Reading a channel: its segments one after the other, the next one asked for while this one still comes.

The rules are go-livepeer's (trickle/README.md): 470 names the write head when a segment is missing, a closed channel
says so in a header of a 200, and a segment that breaks off is read again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

import aiohttp

from byoc_kit.trickle.connection import (
    CONNECT_TIMEOUT_S,
    Backoff,
    end_of_channel,
    reason_of,
    sequence_number,
)
from byoc_kit.trickle.protocol import LATEST_HEADER, SEGMENT_MISSING_STATUS, SEQ_HEADER

logger = logging.getLogger(__name__)

LATEST = -2
"""As a first sequence number: the segment being written, or the first one where nothing is written yet."""

MAX_MESSAGE = 10 << 20

_NEXT_WRITE = -1
_CHUNK = 65_536
_EMPTY_ANSWER_PAUSE_S = 0.2
_WAITING = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S)


async def read_channel(
    session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield a channel's bytes as they come, each with its segment's number, until the channel ends.

    ``b""`` marks the end of a segment; one that is lost in its middle has none, and the number just changes. A segment
    that is no longer there is skipped; one that breaks off is read again, without the part already yielded. Raises
    :class:`TrickleError` when the channel cannot be reached. Close the generator (``contextlib.aclosing``) where you
    leave it before its end: it holds two connections.
    """
    backoff = Backoff(url)
    place = _Place(first_seq)
    requests = _Requests(session, url)
    try:
        while True:
            try:
                async with await requests.take(place.seq) as response:
                    if end_of_channel(response):
                        return
                    if response.status == SEGMENT_MISSING_STATUS:
                        backoff.succeeded()
                        await place.skip(response)
                        continue
                    if response.status != HTTPStatus.OK:
                        await backoff.failed(f"HTTP {response.status}", lasted_s=requests.open_s)
                        continue
                    place.begin(response)
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
    session: aiohttp.ClientSession, url: str, *, first_seq: int = LATEST
) -> AsyncGenerator[bytes, None]:
    """Yield a channel's segments whole, as the control channel's messages are; a message may span many chunks.

    One larger than ``MAX_MESSAGE``, and one that is lost in its middle, is skipped.
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
                logger.warning("%s/%d is larger than %d bytes; the message is skipped", url, seq, MAX_MESSAGE)
                message, is_too_large = bytearray(), True


class _Place:
    """Where the reader is: the segment it asks for, and how much of that it has."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self._received = 0
        self._to_skip = 0
        self._last_read: int | None = None
        self._empty_answer_s = -math.inf

    def begin(self, response: aiohttp.ClientResponse) -> None:
        """Take the segment's number from its answer; the part of it that is there already is skipped."""
        seq = sequence_number(response, SEQ_HEADER, max(self.seq, 0))
        if seq != self.seq:
            self.seq, self._received = seq, 0
        self._to_skip = self._received

    def fresh(self, chunk: bytes) -> bytes:
        """Return what is new in a chunk."""
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
        """Go where a 470 points, forward or, with a server that has begun anew, back.

        Where that is the segment just asked for, or just read, it is the one behind it that may come: a publisher drops
        a segment by closing it empty, and goes on with the next.
        """
        await self._pace()
        latest = sequence_number(response, LATEST_HEADER, _NEXT_WRITE)
        is_known = latest in (self.seq, self._last_read)
        self.seq, self._received = latest + 1 if is_known else latest, 0

    async def _pace(self) -> None:
        """Hold answers without a byte apart, whatever a server says: it must not be asked without a pause."""
        loop = asyncio.get_running_loop()
        due_s = self._empty_answer_s + _EMPTY_ANSWER_PAUSE_S
        if (pause_s := due_s - loop.time()) > 0:
            await asyncio.sleep(pause_s)
        self._empty_answer_s = loop.time()


class _Requests:
    """The request that is waited for next, opened ahead: one at most, and its connection closed in any case."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._seq = 0
        self._opened_s = 0.0
        self._task: asyncio.Task[aiohttp.ClientResponse] | None = None

    @property
    def open_s(self) -> float:
        """Seconds since the newest request was made."""
        return asyncio.get_running_loop().time() - self._opened_s

    def open(self, seq: int) -> None:
        """Ask for a segment, beside whatever is being read; the server answers with its first byte."""
        self._seq = seq
        self._opened_s = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._get(seq), name=f"GET {self._url}/{seq}")

    async def take(self, seq: int) -> aiohttp.ClientResponse:
        """Return the answer for a segment: of the request opened ahead if it is for this one, else of a new one."""
        if self._task is None or self._seq != seq:
            await self.close()
            self.open(seq)
        assert self._task is not None  # noqa: S101  # open made it
        await asyncio.wait([self._task])
        task, self._task = self._task, None
        return task.result()

    async def close(self) -> None:
        """Let go of the request that nobody takes."""
        task, self._task = self._task, None
        if task is None:
            return
        task.add_done_callback(_discard)  # which also runs where this is cancelled itself
        task.cancel()
        await asyncio.wait([task])
        _discard(task)

    async def _get(self, seq: int) -> aiohttp.ClientResponse:
        return await self._session.get(f"{self._url}/{seq}", timeout=_WAITING)


def _discard(task: asyncio.Task[aiohttp.ClientResponse]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
