"""What byoc-kit must reach, and whether it does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks import contenders
from benchmarks.contenders import Contender
from benchmarks.figures import Figures

_OF_STOCK = 0.5
_OF_FFMPEG = 1.05
_PIXELS_OF_FFMPEG = 1.0
_TENSOR_OF_FFMPEG = 1.5
_ADDED_MS = 15.0
_BLOCKING_MS = 350.0
_BLOCKING_MB = 450.0
_HEALTH_MS = 50.0


@dataclass(frozen=True)
class Verdict:
    """One target; ``is_met`` is ``None`` where what it compares was not measured."""

    name: str
    value: str
    wanted: str
    is_met: bool | None


def above_loop_back(medians: Mapping[str, Figures]) -> dict[str, Figures]:
    """Take the loop-back's latencies off all others', where it was measured."""
    base = medians.get(contenders.LOOP_BACK.key)
    if base is None:
        return dict(medians)
    return {
        key: figures
        if key == contenders.LOOP_BACK.key
        else replace(
            figures,
            latency_p50_ms=_difference(figures.latency_p50_ms, base.latency_p50_ms),
            latency_p95_ms=_difference(figures.latency_p95_ms, base.latency_p95_ms),
        )
        for key, figures in medians.items()
    }


def check_targets(medians: Mapping[str, Figures]) -> list[Verdict]:
    """Return the verdicts on byoc-kit's own contenders among these, whose latencies are above the loop-back's.

    Latency is a target of the pass-through; what the conversions add to it, the table shows.
    """
    return [
        *_cpu(contenders.OURS, contenders.STOCK, _OF_STOCK, medians),
        *_cpu(contenders.OURS, contenders.FFMPEG, _OF_FFMPEG, medians),
        *_cpu(contenders.OURS_PIXELS, contenders.FFMPEG, _PIXELS_OF_FFMPEG, medians),
        *_cpu(contenders.OURS_TENSOR, contenders.FFMPEG, _TENSOR_OF_FFMPEG, medians),
        *_latency(contenders.OURS, medians),
        *_latency(contenders.OURS_AUDIO, medians),
        *_lost(contenders.OURS, medians),
        *_lost(contenders.OURS_AUDIO, medians),
        *_lost(contenders.OURS_PIXELS, medians),
        *_lost(contenders.OURS_WRITTEN, medians),
        *_lost(contenders.OURS_TENSOR, medians),
        *_blocking(medians),
    ]


def _cpu(
    contender: Contender, yardstick: Contender, factor: float, medians: Mapping[str, Figures]
) -> Iterator[Verdict]:
    if contender.key not in medians:
        return
    spent = medians[contender.key].cpu_s
    base = medians.get(yardstick.key, Figures()).cpu_s
    name = f"{contender.title}: CPU of that of {yardstick.title}"
    ratio = None if spent is None or base is None else spent / base
    yield at_most(name, ratio, factor)


def _latency(contender: Contender, medians: Mapping[str, Figures]) -> Iterator[Verdict]:
    if contender.key in medians:
        yield at_most(f"{contender.title}: latency p95", medians[contender.key].latency_p95_ms, _ADDED_MS, " ms")


def _lost(contender: Contender, medians: Mapping[str, Figures]) -> Iterator[Verdict]:
    if contender.key not in medians:
        return
    figures = medians[contender.key]
    yield at_most(f"{contender.title}: frames lost at the start", figures.lost_start, 0)
    yield at_most(f"{contender.title}: frames lost at the end", figures.lost_end, 0)


def _blocking(medians: Mapping[str, Figures]) -> Iterator[Verdict]:
    title = contenders.OURS_BLOCKING.title
    if contenders.OURS_BLOCKING.key not in medians:
        return
    figures = medians[contenders.OURS_BLOCKING.key]
    yield at_most(f"{title}: latency p95", figures.latency_p95_ms, _BLOCKING_MS, " ms")
    yield at_most(f"{title}: peak memory", figures.peak_rss_mb, _BLOCKING_MB, " MB")
    yield at_most(f"{title}: /health p99", figures.health_p99_ms, _HEALTH_MS, " ms")


def at_most(name: str, value: float | None, limit: float, unit: str = "") -> Verdict:
    """Judge a value that must not exceed its limit."""
    wanted = f"<= {limit:g}{unit}"
    if value is None:
        return Verdict(name, "not measured", wanted, is_met=None)
    shown = f"{value:.4g}{unit}" if math.isfinite(value) else "no frame came back"
    return Verdict(name, shown, wanted, is_met=value <= limit)


def _difference(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base
