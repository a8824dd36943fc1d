"""``python -m benchmarks --soak``: a slow ``process_frame`` for minutes, after which nothing may have grown."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import machine
from benchmarks.contenders import OURS_BLOCKING
from benchmarks.figures import figures_of, latencies_of, memory_of, percentile
from benchmarks.record import LATE_WARNING, dump, is_late, load_warnings
from benchmarks.run import measure, say, to_its_end
from benchmarks.source import make_source
from benchmarks.table import verdict_lines, warning_lines
from benchmarks.targets import Verdict, at_most
from byoc_kit.errors import ByocKitError
from byoc_kit.system.table import aligned

_MINUTE_S = 60
_SHORTEST = 3
# One turn of the slow function: by where key frames fall in it the p95 of a minute is 225 or 285 ms, in any order. A
# queue that grows adds seconds.
_LATENCY_GROWTH_MS = 100.0
_MEMORY_GROWTH = 1.05


@dataclass(frozen=True)
class Minute:
    """What one minute looked like; without a frame that came back, or a sample, infinite."""

    latency_p50_ms: float
    latency_p95_ms: float
    rss_mb: float


def soak(clip: Path, *, minutes: int, output: Path) -> int:
    """Stream for so many minutes through a ``process_frame`` of 100 ms; prints a line a minute and the verdict.

    Writes ``soak.json`` and a plot. Returns 0, or 1 where latency or memory has grown. Raises ``ByocKitError``
    for less than 3 minutes: the last one is compared with the second.
    """
    if minutes < _SHORTEST:
        msg = f"--soak must be {_SHORTEST} minutes at least: the last one is compared with the second"
        raise ByocKitError(msg)
    facts = machine.facts()
    say(f"{OURS_BLOCKING.title}, for {minutes} minutes")
    seen = to_its_end(measure(OURS_BLOCKING, make_source(clip, seconds=_MINUTE_S * minutes)))
    latencies, memory = latencies_of(seen), memory_of(seen)
    seen_by_minute = by_minute(latencies, memory, minutes)
    verdicts = check_growth(seen_by_minute)
    warnings = load_warnings(facts["load"]) + ([LATE_WARNING] if is_late(figures_of(seen)) else [])
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": facts,
        "warnings": warnings,
        "minutes": [asdict(minute) for minute in seen_by_minute],
        "targets": [asdict(verdict) for verdict in verdicts],
        "latencies": latencies,
        "memory": memory,
    }
    dump(content, output / "soak.json")
    from benchmarks.plot import plot_soak

    plot_soak(latencies, memory, output / "soak")
    lines = [
        *aligned(_rows(seen_by_minute), right=range(4)),
        "",
        *verdict_lines(verdicts),
        *warning_lines(warnings),
    ]
    sys.stdout.write("\n".join([*lines, f"wrote {output}/soak.json, soak.png and soak.svg\n"]))
    return int(not all(verdict.is_met for verdict in verdicts))


def by_minute(
    latencies: Sequence[tuple[float, float]], memory: Sequence[tuple[float, float]], minutes: int
) -> list[Minute]:
    """Return each minute of (s, ms) and (s, MB)."""
    return [_minute(_within(latencies, number), _within(memory, number)) for number in range(minutes)]


def check_growth(minutes: Sequence[Minute]) -> list[Verdict]:
    """Compare the last minute with the second; the first one has the start in it."""
    second, last = minutes[1], minutes[-1]
    return [
        at_most(
            "latency p95 of the last minute above that of the second",
            last.latency_p95_ms - second.latency_p95_ms,
            _LATENCY_GROWTH_MS,
            " ms",
        ),
        at_most("memory of the last minute to that of the second", last.rss_mb / second.rss_mb, _MEMORY_GROWTH),
    ]


def _within(series: Sequence[tuple[float, float]], minute: int) -> list[float]:
    return [value for time_s, value in series if minute <= time_s / _MINUTE_S < minute + 1]


def _minute(latencies_ms: Sequence[float], memory_mb: Sequence[float]) -> Minute:
    return Minute(
        latency_p50_ms=percentile(latencies_ms, 50) if latencies_ms else math.inf,
        latency_p95_ms=percentile(latencies_ms, 95) if latencies_ms else math.inf,
        rss_mb=fmean(memory_mb) if memory_mb else math.inf,
    )


def _rows(minutes: Sequence[Minute]) -> list[list[str]]:
    rows = [["minute", "latency p50 ms", "p95 ms", "memory MB"]]
    for number, minute in enumerate(minutes, 1):
        figures = (minute.latency_p50_ms, minute.latency_p95_ms, minute.rss_mb)
        rows.append([str(number), *(f"{figure:.0f}" for figure in figures)])
    return rows
