"""From what was observed to the figures that are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import median

from benchmarks.measure import Seen

# Of these the worst run counts: a lost frame is not made good by two runs without one.
_WORST = {"lost_start", "lost_middle", "lost_end"}


@dataclass(frozen=True)
class Lost:
    """Frames that did not come back: before the first that did, after the last, and between."""

    start: int
    middle: int
    end: int


@dataclass(frozen=True)
class Figures:
    """One run, or the medians of several. ``None`` is not measured; an infinite latency is that nothing came back.

    ``cpu_s`` is for 1000 frames of the input. ``behind_ms`` is the latency of the last frame that came back.
    """

    cpu_s: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    behind_ms: float | None = None
    ready_rss_mb: float | None = None
    peak_rss_mb: float | None = None
    lost_start: float | None = None
    lost_middle: float | None = None
    lost_end: float | None = None
    health_p50_ms: float | None = None
    health_p99_ms: float | None = None
    late_p95_ms: float | None = None


def figures_of(seen: Seen, *, settled_s: float = 0.0) -> Figures:
    """Return the figures of one run; latencies are those of the frames sent from ``settled_s`` on."""
    cpu_s = None if seen.cpu_s is None else 1000 * seen.cpu_s / seen.frames
    memory = {"ready_rss_mb": seen.ready_rss_mb, "peak_rss_mb": seen.peak_rss_mb}
    if not seen.handed_s:
        return Figures(cpu_s=cpu_s, **memory)
    latencies = latencies_of(seen)
    is_measured = any(sent_s >= settled_s for sent_s in _sent_s(seen))
    settled = [latency_ms for sent_s, latency_ms in latencies if sent_s >= settled_s]
    lost = count_lost(list(seen.handed_s), seen.arrived_s.keys())
    return Figures(
        cpu_s=cpu_s,
        latency_p50_ms=_percentile_or_never(settled, 50) if is_measured else None,
        latency_p95_ms=_percentile_or_never(settled, 95) if is_measured else None,
        behind_ms=latencies[-1][1] if latencies else math.inf,
        lost_start=lost.start,
        lost_middle=lost.middle,
        lost_end=lost.end,
        health_p50_ms=_percentile_ms(seen.health_s, 50),
        health_p99_ms=_percentile_ms(seen.health_s, 99),
        late_p95_ms=_percentile_ms(seen.late_s, 95),
        **memory,
    )


def latencies_of(seen: Seen) -> list[tuple[float, float]]:
    """Return (seconds after the first was sent, latency in ms) of each frame that came back, as they were sent."""
    sent = zip(_sent_s(seen), seen.handed_s.items(), strict=True)
    return [
        (sent_s, 1000 * (seen.arrived_s[pts] - handed_s)) for sent_s, (pts, handed_s) in sent if pts in seen.arrived_s
    ]


def memory_of(seen: Seen) -> list[tuple[float, float]]:
    """Return (seconds after the first sample, MB)."""
    return [(time_s - seen.memory[0][0], mb) for time_s, mb in seen.memory]


def count_lost(sent: Sequence[int], back: Iterable[int]) -> Lost:
    """Count the sent frames that did not come back; where none did, all are lost at the start."""
    arrived = set(back)
    came_back = [pts in arrived for pts in sent]
    if not any(came_back):
        return Lost(len(sent), 0, 0)
    start, end = came_back.index(True), came_back[::-1].index(True)
    return Lost(start, came_back.count(False) - start - end, end)


def summarize(runs: Sequence[Figures]) -> Figures:
    """Return the medians of several runs; of lost frames the most."""
    summary: dict[str, float | None] = {}
    for field in fields(Figures):
        values = [value for run in runs if (value := getattr(run, field.name)) is not None]
        choose = max if field.name in _WORST else median
        summary[field.name] = choose(values) if values else None
    return Figures(**summary)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that ``percent`` per cent of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _sent_s(seen: Seen) -> list[float]:
    times = list(seen.handed_s.values())
    return [time_s - times[0] for time_s in times]


def _percentile_ms(seconds: Sequence[float], percent: int) -> float | None:
    return 1000 * percentile(seconds, percent) if seconds else None


def _percentile_or_never(values: Sequence[float], percent: int) -> float:
    return percentile(values, percent) if values else math.inf
