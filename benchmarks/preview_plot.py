"""The figures of the preview as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.plot import save
from benchmarks.preview_contenders import ALL, IMAGE, OURS, OURS_DECODING, OURS_SLOW, RFB
from benchmarks.preview_figures import PreviewFigures
from benchmarks.preview_record import PreviewRecord

_COLOURS = {
    OURS.key: "#1b7f5c",
    OURS_DECODING.key: "#3d9c77",
    IMAGE.key: "#d1603d",
    RFB.key: "#5b6c8f",
    OURS_SLOW.key: "#63b995",
}
_Values = Callable[[PreviewFigures], Sequence[float]]


def plot_preview(record: PreviewRecord, stem: Path) -> None:
    """Write ``stem``.png and .svg: bars of rate, latency, gaps and CPU, the target as a line across byoc-kit's."""
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    [[rate, latency], [gap, cpu]] = figure.subplots(2, 2)
    _bars(rate, record, "Shown, fps", lambda one: [one.shown_fps], target=30)
    _bars(
        latency,
        record,
        "Kernel to canvas, p50 and p95, ms",
        lambda one: [one.latency_p50_ms, one.latency_p95_ms],
        target=100,
    )
    _bars(
        gap,
        record,
        "Longest gap: alone, and while cells run, ms",
        lambda one: [one.gap_ms, one.busy_gap_ms],
        target=500,
    )
    _bars(cpu, record, "CPU of kernel, and of page, % of a core", lambda one: [one.kernel_cpu, one.page_cpu], target=25)
    settings = record.settings
    figure.suptitle(
        f"{settings['size']} at {settings['rate']} fps in JupyterLab, {record.machine['cpus']} CPUs "
        f"({record.machine['cpu']}), medians of {settings['runs']} runs; dashed: what byoc-kit is to reach"
    )
    save(figure, stem)


def _bars(axes: Axes, record: PreviewRecord, title: str, values: _Values, *, target: float) -> None:
    """Draw a group of bars a contender, from top to bottom, each with its number."""
    measured = [contender for contender in ALL if contender.key in record.medians]
    for row, contender in enumerate(measured):
        group = [value for value in values(record.medians[contender.key]) if math.isfinite(value)]
        height = 0.8 / max(1, len(group))
        for number, value in enumerate(group):
            position = row - 0.4 + (number + 0.5) * height
            bars = axes.barh(position, value, height * 0.9, color=_COLOURS[contender.key], alpha=1 - 0.35 * number)
            axes.bar_label(bars, fmt="%.0f", padding=3)
    if OURS in measured:
        at = measured.index(OURS)
        axes.vlines(target, at - 0.5, at + 0.5, color="#444444", linewidth=1.2, linestyle="--")
    axes.set_title(title)
    axes.set_yticks(range(len(measured)), [contender.title for contender in measured])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(b=False)


def plot_preview_soak(series: dict[str, list[tuple[float, float]]], stem: Path) -> None:
    """Write ``stem``.png and .svg: each series of (s, value), by its name, over minutes."""
    figure = Figure(figsize=(12, 2 * len(series)), layout="constrained")
    for axes, (name, points) in zip(figure.subplots(len(series), 1, sharex=True), series.items(), strict=True):
        axes.plot([x / 60 for x, _ in points], [y for _, y in points], color="#1b7f5c", linewidth=0.8)
        axes.set(ylim=(0, 1.1 * max((y for _, y in points), default=1.0)))
        axes.set_title(name)
        axes.grid(visible=True, alpha=0.3)
    axes.set_xlabel("minutes")
    save(figure, stem)
