"""One segment of a trickle channel in memory: appended by a publisher, streamed by any number of readers."""

import asyncio
from collections.abc import AsyncGenerator


class Segment:
    """Bytes of one sequence number: append-only, kept as long as the ring or a reader holds them."""

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
        """End the segment: its readers get what is there and finish."""
        self.is_closed = True
        self._wake()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Stream all bytes from the first on, as they arrive, until the segment is closed."""
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
