"""How long something took, as percentiles over the last frames, and how long a step takes so far."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_KEPT = 600


class Timings:
    """Keeps the last 600 durations; one thread may add while another asks."""

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
    """One thread says when a step of work begins and ends; others ask how long the present one takes.

    Waiting for something to do is no step.
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

    def begin_anew(self) -> None:
        """Count the present step from now on: up to here it waited for others."""
        if self._since_s is not None:
            self._since_s = time.monotonic()

    @property
    def taking_s(self) -> float:
        """How long the present step takes; 0 between steps."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
