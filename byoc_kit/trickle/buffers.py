"""Bounded buffers between the event loop, which speaks HTTP, and the threads that speak PyAV."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress

MAX_READ_BYTES = 4 << 20
MAX_WRITE_BYTES = 8 << 20
_WAITS_KEPT = 600


class ByteInlet:
    """Passes bytes from the loop to a thread. ``feed`` waits while 4 MiB are unread; ``read`` blocks while none are."""

    def __init__(self, *, max_buffered: int = MAX_READ_BYTES) -> None:
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._buffered = 0
        self._max_buffered = max_buffered
        self._is_ended = False
        self._changed = threading.Condition()
        self._has_room = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def lag_s(self) -> float:
        """How long the oldest unread bytes have waited, in seconds."""
        with self._changed:
            return time.monotonic() - self._chunks[0][0] if self._chunks else 0.0

    async def feed(self, data: bytes) -> None:
        """Add bytes; waits while the reader is far behind. ``b""`` is left out: to the reader it would mean the end."""
        if not data:
            return
        while self._buffered > self._max_buffered and not self._is_ended:
            self._has_room.clear()
            await self._has_room.wait()
        with self._changed:
            self._chunks.append((time.monotonic(), data))
            self._buffered += len(data)
            self._changed.notify()

    def end(self) -> None:
        """End the bytes; those that are buffered can still be read."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()
        self._loop.call_soon_threadsafe(self._has_room.set)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes, or ``b""`` at the end; blocks until then. PyAV calls it on a thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._is_ended)
            if not self._chunks:
                return b""
            arrived_s, chunk = self._chunks.popleft()
            if 0 <= size < len(chunk):
                self._chunks.appendleft((arrived_s, chunk[size:]))
                chunk = chunk[:size]
            self._buffered -= len(chunk)
        self._loop.call_soon_threadsafe(self._has_room.set)
        return chunk


class SegmentBuffer:
    """Passes chunks of segments to the loop, in order. It is bounded in bytes: a writer waits while it is full.

    ``None`` begins a segment. Chunks before the first segment are dropped. ``waits_s`` has how long each of the last
    600 chunks waited here; read it on the loop.
    """

    def __init__(self, max_bytes: int = MAX_WRITE_BYTES) -> None:
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

        The loop is woken only if it waits for a chunk.
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
        """End the chunks. Those in the buffer are still taken; the chunk of a writer that waits for room is dropped."""
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()
            self._wake()
        self._has_room.set()

    def close(self) -> None:
        """Drop the chunks in the buffer, and all that follow."""
        with self._changed:
            self._items.clear()
            self._size = 0
        self.finish()

    async def next_segment(self) -> bool:
        """Drop the rest of this segment and wait for the next to begin; ``False`` if none follows."""
        while await self._until_item():
            _, data = self._take()
            if data is None:
                return True
        return False

    async def next_chunk(self) -> bytes | None:
        """Return the next bytes of this segment as soon as there are some, or ``None`` at its end."""
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
    return 1 if data is None else len(data)  # so that empty segments are bounded too
