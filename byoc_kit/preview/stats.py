"""The numbers under the pictures."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from byoc_kit.stage import Failure

_WINDOW_S = 2.0


@dataclass(frozen=True)
class PreviewStats:
    """Rates are of the last two seconds, counts since the start.

    ``not_shown`` frames were processed, but the front end had no time for them. ``drops`` is the stage's count by
    reason; ``error`` one sentence, empty where all is well.
    """

    frames_in: int
    frames_out: int
    shown: int
    not_shown: int
    in_fps: float
    processed_fps: float
    shown_fps: float
    process_ms: dict[str, float]
    drops: dict[str, int]
    failures: list[Failure]
    error: str


class Meter:
    """Counts events, and how many a second there were of late. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._started_s = clock()
        self._ticks: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Count one."""
        with self._lock:
            if self.count == 0:
                self._started_s = self._clock()
            self.count += 1
            self._ticks.append(self._clock())

    def rate(self) -> float:
        """Return events a second over the last two, or since the first."""
        with self._lock:
            now_s = self._clock()
            while self._ticks and now_s - self._ticks[0] > _WINDOW_S:
                self._ticks.popleft()
            span_s = min(_WINDOW_S, now_s - self._started_s)
            return len(self._ticks) / max(span_s, _WINDOW_S / 4)


def numbers(stats: PreviewStats) -> list[tuple[str, str]]:
    """Return the line under the pictures: each number and what it is."""
    median_ms = stats.process_ms.get("p50")
    return [
        (f"{stats.in_fps:.1f} fps", "in"),
        (f"{stats.processed_fps:.1f} fps", "processed"),
        (f"{stats.shown_fps:.1f} fps", "shown"),
        ("–" if median_ms is None else f"{median_ms:.1f} ms", "process p50"),  # noqa: RUF001
        (str(sum(stats.drops.values())), "dropped"),
    ]


def failure_sentence(failure: Failure) -> str:
    """Say an exception of ``process_frame`` in one line, its place first."""
    times = "" if failure.count == 1 else f" ({failure.count} times)"
    message = " ".join(failure.message.split())
    said = f"{failure.error}: {message}" if message else failure.error
    return f"process_frame failed at {failure.where}: {said}{times}"
