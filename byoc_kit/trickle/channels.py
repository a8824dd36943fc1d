"""Trickle channels in memory, as go-livepeer's ``trickle/trickle_server.go`` keeps them behind its HTTP routes.

A channel is a ring of segments with a write head. Everything here belongs to one event loop, and knows nothing of HTTP.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager

from byoc_kit.system.concurrency import background
from byoc_kit.trickle.protocol import LATEST_WRITTEN, NEXT_WRITE, SEGMENTS_PER_CHANNEL

IDLE_TIMEOUT_S = 300.0
SWEEP_INTERVAL_S = 60.0
MAX_SEGMENT_BYTES = 64 * 2**20


class Segment:
    """The bytes of one sequence number. They are only appended to, and kept while the ring or a reader holds them."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.size = 0
        self.is_closed = False
        self._chunks: list[bytes] = []
        self._changed = asyncio.Event()

    def append(self, data: bytes) -> None:
        """Add bytes and wake the readers."""
        self._chunks.append(data)
        self.size += len(data)
        self._wake()

    def close(self) -> None:
        """End the segment: its readers get the bytes so far and finish."""
        self.is_closed = True
        self._wake()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield all bytes from the first on, as they arrive, until the segment is closed."""
        position = 0
        while True:
            if position < len(self._chunks):
                unread = b"".join(self._chunks[position:])
                position = len(self._chunks)
                yield unread
            elif self.is_closed:
                return
            else:
                await self._changed.wait()

    async def wait_closed(self) -> None:
        """Return once the segment is closed."""
        while not self.is_closed:
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ChannelClosedError(Exception):
    """The channel is closed: no segment follows."""


class SegmentMissingError(Exception):
    """The channel is open, but this segment is not in its ring, or it ended without a byte."""

    def __init__(self, *, seq: int, latest: int) -> None:
        super().__init__(f"segment {seq} is not there; the next write is {latest}")
        self.seq = seq
        self.latest = latest


class SegmentFullError(Exception):
    """A publisher sent more than ``MAX_SEGMENT_BYTES`` in one segment, which was closed with the bytes so far."""


class Channel:
    """A ring of segments with a write head, like the ``Stream`` of go-livepeer's trickle server."""

    def __init__(self, name: str, content_type: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.content_type = content_type
        self.next_seq = 0
        self.is_closed = False
        self._clock = clock
        self._written_at = clock()
        self._ring: dict[int, Segment] = {}

    @property
    def idle_s(self) -> float:
        """Seconds since a segment was last begun."""
        return self._clock() - self._written_at

    def open_for_write(self, seq: int, *, reset: bool = False) -> Segment:
        """Return the open segment ``seq`` to append to. The write head moves only with its first byte.

        A segment that is open already, for a waiting reader or from a failed publisher, is continued. One that was
        closed begins again; the Go server would append to it. ``reset`` (``Lp-Trickle-Reset``) closes all earlier
        segments, but not later ones, to which publishers have connected ahead.
        """
        if self.is_closed:
            raise ChannelClosedError
        seq = self.next_seq if seq == NEXT_WRITE else seq
        if reset:
            self._close_before(seq)
        segment = self._find(seq)
        if segment is None or segment.is_closed or (reset and segment.size):
            return self._open(seq)
        return segment

    def append(self, segment: Segment, data: bytes) -> None:
        """Append to a segment. Its first byte moves the write head to the next segment."""
        if segment.size + len(data) > MAX_SEGMENT_BYTES:
            segment.close()
            raise SegmentFullError
        if not segment.size:
            self._advance(segment)
        segment.append(data)

    def finish(self, segment: Segment) -> None:
        """Close a segment that its publisher has completed. An empty one in the ring moves the head too."""
        if not segment.size and self._find(segment.seq) is segment:
            self._advance(segment)
        segment.close()

    def publish(self, data: bytes) -> int:
        """Write one whole segment at the write head and return its sequence number."""
        segment = self.open_for_write(NEXT_WRITE)
        self.append(segment, data)
        self.finish(segment)
        return segment.seq

    def open_for_read(self, seq: int) -> Segment:
        """Return segment ``seq``. The one at the write head is made if needed, so that a reader can wait for it.

        In a channel without any write, segment 1 is made too, since clients connect to the next segment ahead. A
        segment at the write head that was closed without a byte (DELETE) begins again; the Go server would answer 470
        with the same number again and again.
        """
        if seq == NEXT_WRITE:
            seq = self.next_seq
        elif seq == LATEST_WRITTEN:
            seq = max(self.next_seq - 1, 0)
        segment = self._find(seq)
        is_next_write = seq == self.next_seq
        if segment is not None and not (segment.is_closed and is_next_write):
            return segment
        if self.is_closed:
            raise ChannelClosedError
        if is_next_write or (self.next_seq == 0 and seq == 1):
            return self._open(seq)
        raise SegmentMissingError(seq=seq, latest=self.next_seq)

    async def stream(self, segment: Segment) -> AsyncGenerator[bytes, None]:
        """Yield a segment's bytes. If it ends without any, raise ``ChannelClosedError`` or ``SegmentMissingError``."""
        async with aclosing(segment.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        if segment.size:
            return
        if self.is_closed:
            raise ChannelClosedError
        raise SegmentMissingError(seq=segment.seq, latest=self.next_seq)

    async def read(self, seq: int) -> bytes:
        """Wait for a segment to end and return all of it. Raises what ``open_for_read`` and ``stream`` raise."""
        return b"".join([chunk async for chunk in self.stream(self.open_for_read(seq))])

    def close_segment(self, seq: int) -> None:
        """Close one segment of the ring: its readers finish, and its publisher's request ends."""
        segment = self._find(seq)
        if segment is None:
            raise SegmentMissingError(seq=seq, latest=self.next_seq)
        segment.close()

    def close(self) -> None:
        """Close the channel and its segments. Readers that hold a segment still get the bytes it has."""
        self.is_closed = True
        for segment in self._ring.values():
            segment.close()
        self._ring.clear()

    def _find(self, seq: int) -> Segment | None:
        segment = self._ring.get(seq % SEGMENTS_PER_CHANNEL)
        return segment if segment is not None and segment.seq == seq else None

    def _open(self, seq: int) -> Segment:
        overwritten = self._ring.get(seq % SEGMENTS_PER_CHANNEL)
        if overwritten is not None:
            overwritten.close()
        segment = Segment(seq)
        self._ring[seq % SEGMENTS_PER_CHANNEL] = segment
        return segment

    def _advance(self, segment: Segment) -> None:
        self.next_seq = segment.seq + 1
        self._written_at = self._clock()

    def _close_before(self, seq: int) -> None:
        for segment in self._ring.values():
            if segment.seq < seq:
                segment.close()


class Channels:
    """The open channels by name. A closed channel is removed: ``find`` returns none, and its holders see it closed."""

    def __init__(self, *, idle_timeout_s: float = IDLE_TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._clock = clock
        self._by_name: dict[str, Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_name.values())

    def create(self, name: str, content_type: str) -> Channel:
        """Return the channel of that name. It is made if there is none; an existing one keeps its content type."""
        if name not in self._by_name:
            self._by_name[name] = Channel(name, content_type, clock=self._clock)
        return self._by_name[name]

    def find(self, name: str) -> Channel | None:
        """Return the open channel of that name."""
        return self._by_name.get(name)

    def delete(self, name: str) -> None:
        """Close and remove a channel, if there is one of that name."""
        channel = self._by_name.pop(name, None)
        if channel is not None:
            channel.close()

    def sweep(self) -> None:
        """Delete every channel in which no segment began for the idle timeout."""
        for channel in list(self):
            if channel.idle_s > self._idle_timeout_s:
                self.delete(channel.name)

    def close(self) -> None:
        """Delete all channels."""
        for channel in list(self):
            self.delete(channel.name)

    @asynccontextmanager
    async def serving(self, *, sweep_interval_s: float = SWEEP_INTERVAL_S) -> AsyncIterator[None]:
        """Delete idle channels regularly while the body runs, and all channels at the end."""
        async with background(self._sweep_regularly(sweep_interval_s), name="trickle-sweep"):
            try:
                yield
            finally:
                self.close()

    async def _sweep_regularly(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            self.sweep()
