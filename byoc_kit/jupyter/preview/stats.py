"""The numbers below the pictures, and the machine that the preview runs on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from byoc_kit.core.stage import Failure

# The first frames load libraries and allocate memory, so their times say nothing about the rest of a stream.
COLD_FRAMES = 3
_WINDOW_S = 2.0
PLACES = {
    "decode": "Reading a frame from the source",
    "process": "process_frame, of the last 100 frames",
    "encode": "Making JPEGs of input and output for this page",
    "wire": "From the kernel to this page",
    "draw": "Decoding and drawing both pictures in this page",
    "latency": "From the frame's turn, or from the camera, until it is on the screen",
}
_RATE = "over the last 2 s"
_SINCE = "since process_frame last changed"
_REASONS = "late: a newer frame came before its turn; failed: an exception; withheld: None was returned"


def machine() -> list[Figure]:
    """Return the memory in use and the device."""
    memory = Figure(f"{_resident_mb():.0f} MB", "memory", "Resident memory of the kernel", is_extra=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    found = [memory, Figure(device, "device", "Where torch can run here", is_extra=True)]
    if torch.cuda.is_available():
        taken = f"{torch.cuda.memory_reserved() / 1e6:.0f} MB"
        found.insert(1, Figure(taken, "GPU memory", "What torch has reserved on the GPU", is_extra=True))
    return found


def _resident_mb() -> float:
    """Return the resident memory in MB, from ``/proc/self/status``; 0 if that file does not exist."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:")), 0.0)


@dataclass(frozen=True)
class PreviewStats:
    """Rates are of the last two seconds, counts since ``process_frame`` was last changed.

    ``not_shown`` frames were processed, but the front end had no time for them. ``drops`` is the stage's count by
    reason. ``error`` is one sentence, or empty if there is none. ``timings_ms`` has the median and 95th percentile for
    each step of a frame (decode, wait, process, encode, wire, draw) and for the whole way to the canvas: from the lens
    of the browser's camera, or for other sources from the frame's turn. ``target_fps`` is the source's pace.
    ``trouble`` says that frames of the last two seconds failed, were withheld, or have a NaN.
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
    timings_ms: Mapping[str, dict[str, float]] = field(default_factory=dict)
    target_fps: float | None = None
    trouble: str = ""

    @property
    def budget(self) -> Budget | None:
        """Whether ``process_frame`` keeps the source's pace; ``None`` while that is unknown."""
        p95_ms = self.process_ms.get("p95")
        return None if p95_ms is None or not self.target_fps else Budget(p95_ms, self.target_fps)


@dataclass(frozen=True)
class Budget:
    """How much of a frame's time ``process_frame`` takes: its 95th percentile, compared with the wanted pace."""

    p95_ms: float
    fps: float

    @property
    def frame_ms(self) -> float:
        """The time from one frame to the next."""
        return 1000 / self.fps

    @property
    def is_held(self) -> bool:
        """Whether a live stream at that pace loses no frames."""
        return self.p95_ms <= self.frame_ms

    def __str__(self) -> str:
        if self.is_held:
            return f"will hold {self.fps:.3g} fps here"
        return f"misses {self.fps:.3g} fps by {self.p95_ms - self.frame_ms:.1f} ms"


class Meter:
    """Counts events, and measures how many a second came lately. Thread-safe.

    Events may be reported up to ``known_after_s`` late; the rate is then of the two seconds before that.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, known_after_s: float = 0.0) -> None:
        self.count = 0
        self._clock = clock
        self._known_after_s = known_after_s
        self._started_s: float | None = None
        self._ticks: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def tick(self, at_s: float | None = None) -> None:
        """Count one event, which happened now or at ``at_s``."""
        with self._lock:
            at_s = self._clock() if at_s is None else at_s
            if self._started_s is None:
                self._started_s = at_s
            self.count += 1
            self._ticks.append(at_s)

    def restart(self) -> None:
        """Measure the rate from the next event on; the count stays."""
        with self._lock:
            self._started_s = None
            self._ticks.clear()

    @property
    def is_settled(self) -> bool:
        """Whether the rate covers two whole seconds."""
        started_s = self._started_s
        return started_s is not None and self._clock() - self._known_after_s - started_s >= _WINDOW_S

    def rate(self) -> float:
        """Return events a second over the last two seconds, or since the first event."""
        with self._lock:
            if self._started_s is None:
                return 0.0
            end_s = self._clock() - self._known_after_s
            while self._ticks and end_s - self._ticks[0] > _WINDOW_S:
                self._ticks.popleft()
            span_s = min(_WINDOW_S, end_s - self._started_s)
            return sum(at_s <= end_s for at_s in self._ticks) / max(span_s, _WINDOW_S / 4)


@dataclass(frozen=True)
class Figure:
    """One of the numbers below the pictures. ``title`` explains it; if ``is_extra``, it shows only on request."""

    value: str
    label: str
    title: str
    is_extra: bool = False

    def message(self) -> list[str | bool]:
        """Return it in the form that the page takes."""
        return [self.value, self.label, self.title, self.is_extra]


def numbers(stats: PreviewStats) -> list[Figure]:
    """Return the numbers below the pictures."""
    timings, dropped = stats.timings_ms, ", ".join(f"{count} {reason}" for reason, count in stats.drops.items())
    rates = [
        Figure(f"{stats.in_fps:.1f} fps", "in", f"Frames a second from the source, {_RATE}"),
        Figure(
            f"{stats.processed_fps:.1f} fps",
            "processed",
            f"Frames a second through process_frame, {_RATE}",
            is_extra=True,
        ),
        Figure(f"{stats.shown_fps:.1f} fps", "shown", f"Frames a second that this page drew, {_RATE}"),
    ]
    places = [
        Figure(
            _ms(timings.get(place, {})),
            f"{place} p50 / p95",
            f"{what}: median and 95th percentile",
            is_extra=place != "process",
        )
        for place, what in PLACES.items()
    ]
    losses = [
        Figure(dropped or "0", "dropped", f"Frames without an output, by reason, {_SINCE}. {_REASONS}"),
        Figure(str(stats.not_shown), "not shown", "Outputs that this page had no time to draw", is_extra=True),
    ]
    return [*rates, *places, *losses]


def failure_sentence(failure: Failure) -> str:
    """Describe an exception of ``process_frame`` in one line, its place first."""
    message = " ".join(failure.message.split())
    said = f"{failure.error}: {message}" if message else failure.error
    return f"process_frame failed at {failure.where}: {said}"


def _ms(timing: Mapping[str, float]) -> str:
    return f"{timing['p50']:.1f} / {timing['p95']:.1f} ms" if timing else "–"  # noqa: RUF001
