"""The data channel: JSON objects beside the video, one a line (``application/jsonl``)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from contextlib import suppress

import aiohttp

from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.connection import (
    REQUEST_TIMEOUT,
    Backoff,
    check_success,
    end_of_channel,
    reason_of,
)
from byoc_kit.trickle.protocol import DATA_TYPE, RESET_HEADER
from byoc_kit.trickle.publisher import ChannelPublisher

logger = logging.getLogger(__name__)

MAX_LINES = 1000
MAX_SEGMENT = 65_536
KEEP_ALIVE_S = 60.0  # a server deletes a channel that has had no byte for 5 min
# In the words of the control channel. Not an empty line: a gateway hands each line to its client, who expects JSON.
KEEP_ALIVE = b'{"keep": "alive"}\n'


class DataPublisher(ChannelPublisher):
    """Publishes lines in order. All that wait go out as one segment as soon as the POST before it is done.

    At most ``max_lines`` wait: when there are more, the oldest is dropped and counted in ``lines_lost``. Lines of a
    failed POST are sent again, so where only its answer was lost a reader gets them twice. After a minute without a
    line ``{"keep": "alive"}`` keeps the channel, and is not counted. A channel that ends before ``finish`` is logged.
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
        """Queue a line as ``encode_line`` made it. Never blocks, on any thread."""
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
        """Say that nothing follows; never waits. ``run`` returns once all is sent."""
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
                is_reset_due = True  # a segment left half written would hold the readers up
                await backoff.failed(reason_of(error))
            finally:
                if not is_taken:
                    self._put_back(batch)

    async def _post(self, batch: list[bytes], *, is_reset: bool) -> bool:
        """Send lines, or the one that keeps the channel alive, as one segment.

        Returns whether they are taken, and sets ``ended`` where nothing is any more.
        """
        headers = {"Content-Type": DATA_TYPE, **({RESET_HEADER: "1"} if is_reset else {})}
        url, body = f"{self._url}/-1", b"".join(batch) or KEEP_ALIVE
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
        """Wait for a line, ``quiet_s`` at most; ``False`` if none follows."""
        with suppress(TimeoutError):
            async with asyncio.timeout(quiet_s):
                while not self._lines and not self._is_finished:
                    self._changed.clear()
                    await self._changed.wait()
        return bool(self._lines) or not self._is_finished

    def _take_batch(self) -> list[bytes]:
        """Take whole lines from the front, as many as fit in ``MAX_SEGMENT`` bytes; one at least, if any waits."""
        batch: list[bytes] = []
        size = 0
        with self._lock:
            while self._lines and (not batch or size + len(self._lines[0]) <= MAX_SEGMENT):
                size += len(self._lines[0])
                batch.append(self._lines.popleft())
        return batch

    def _put_back(self, batch: list[bytes]) -> None:
        """Queue unsent lines in front again; where there is no room any more the oldest go."""
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
