"""The bounded bridge from the event loop, which speaks HTTP, to the thread that speaks PyAV."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

MAX_BUFFERED = 4 << 20


class ByteInlet:
    """From the loop to a thread: ``feed`` waits while 4 MiB are unread, ``read`` blocks until there is something."""

    def __init__(self, *, max_buffered: int = MAX_BUFFERED) -> None:
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._buffered = 0
        self._max_buffered = max_buffered
        self._is_ended = False
        self._changed = threading.Condition()
        self._has_room = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def lag_s(self) -> float:
        """How long the oldest unread bytes have been here."""
        with self._changed:
            return time.monotonic() - self._chunks[0][0] if self._chunks else 0.0

    async def feed(self, data: bytes) -> None:
        """Add bytes; waits while the reader is far behind. Empty ones are left out: to a reader they are the end."""
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
        """Say that nothing follows; what is buffered is still read."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()
        self._loop.call_soon_threadsafe(self._has_room.set)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes, blocking for the first; ``b""`` at the end. For PyAV, on a thread."""
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
