"""Watches a container's ``/health``. The container is advertised only while the answer says ready."""

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp

POLL_INTERVAL_S = 1.0
CHANGES_KEPT = 256

_TIMEOUT = aiohttp.ClientTimeout(total=3.0)
_READY = {"status": "ok"}
_MAX_DETAIL_CHARS = 200


@dataclass(frozen=True)
class HealthChange:
    """A change of the answer, and when it came."""

    is_ready: bool
    detail: str
    monotonic_s: float
    at: datetime


class HealthWatch:
    """Polls one container and keeps the last ``CHANGES_KEPT`` changes of its answer, the oldest first.

    As the contract says, ready is exactly the status 200 with the body ``{"status": "ok"}``.
    """

    def __init__(self, url: str, *, interval_s: float = POLL_INTERVAL_S) -> None:
        self.url = url
        self.history: deque[HealthChange] = deque(maxlen=CHANGES_KEPT)
        self._interval_s = interval_s
        self._ready = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the latest answer said ready; False before the first one."""
        return self._ready.is_set()

    @property
    def detail(self) -> str:
        """The latest answer, as text."""
        return self.history[-1].detail if self.history else "not asked yet"

    async def wait_ready(self) -> None:
        """Return once the container is ready."""
        await self._ready.wait()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Poll until cancelled."""
        while True:
            is_ready, detail = await self._ask(session)
            self._record(is_ready=is_ready, detail=detail)
            await asyncio.sleep(self._interval_s)

    async def _ask(self, session: aiohttp.ClientSession) -> tuple[bool, str]:
        try:
            async with session.get(f"{self.url}/health", timeout=_TIMEOUT) as response:
                body = await response.read()
                detail = f"HTTP {response.status} {body.decode(errors='replace')}"[:_MAX_DETAIL_CHARS]
                return response.status == HTTPStatus.OK and _json(body) == _READY, detail
        except TimeoutError:
            return False, f"no answer within {_TIMEOUT.total:g} s"
        except aiohttp.ClientError as error:
            return False, f"no answer: {error}"

    def _record(self, *, is_ready: bool, detail: str) -> None:
        if is_ready:
            self._ready.set()
        else:
            self._ready.clear()
        if not self.history or self.history[-1].detail != detail:
            self.history.append(HealthChange(is_ready, detail, time.monotonic(), datetime.now(UTC)))


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
