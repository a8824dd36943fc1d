"""How long something took, as percentiles of the last times, and how long the present step has taken so far."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_KEPT = 600


class Timings:
    """The last 600 durations. One thread may add to them while another reads them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_s: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        """Add a duration."""
        with self._lock:
            self._last_s.append(seconds)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the body and add its duration."""
        started_s = time.monotonic()
        try:
            yield
        finally:
            self.add(time.monotonic() - started_s)

    def percentiles_ms(self, *, of_last: int = _KEPT) -> dict[str, float]:
        """Return the median and 95th percentile in milliseconds, or nothing for no values."""
        with self._lock:
            last_s = list(self._last_s)[-of_last:]
        return percentiles_ms(last_s)

    def clear(self) -> None:
        """Forget all durations, to measure something else from now on."""
        with self._lock:
            self._last_s.clear()


def percentiles_ms(seconds: Iterable[float]) -> dict[str, float]:
    """Return the median and 95th percentile in milliseconds, or nothing for no values."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {f"p{p}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 3) for p in (50, 95)}


class Heartbeat:
    """One thread marks when a step of work begins and ends. Other threads ask how long the present step has taken.

    Waiting for work is not a step.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._since_s: float | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run the body as a step of work; steps do not nest."""
        self._since_s = time.monotonic()
        try:
            yield
        finally:
            self._since_s = None

    def restart(self) -> None:
        """Measure the present step from now on, since it waited for something else until now."""
        if self._since_s is not None:
            self._since_s = time.monotonic()

    @property
    def taking_s(self) -> float:
        """How long the present step has taken so far; 0 between steps."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
