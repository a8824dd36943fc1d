"""The figures as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import contenders
from benchmarks.contenders import Contender
from benchmarks.figures import Figures
from benchmarks.held import Held
from benchmarks.record import Record, Run

_COLOURS = {
    contenders.LOOP_BACK.key: "#bbbbbb",
    contenders.STOCK.key: "#d1603d",
    contenders.OURS.key: "#1b7f5c",
    contenders.OURS_PIXELS.key: "#63b995",
    contenders.OURS_WRITTEN.key: "#8fcfb3",
    contenders.OURS_TENSOR.key: "#b9e2d0",
    contenders.FFMPEG.key: "#5b6c8f",
    contenders.FFMPEG_FLAT_OUT.key: "#a9b3c9",
    contenders.STOCK_BLOCKING.key: "#d1603d",
    contenders.OURS_BLOCKING.key: "#1b7f5c",
}
_PASSING: list[Contender] = [
    contenders.STOCK,
    contenders.OURS,
    contenders.OURS_PIXELS,
    contenders.OURS_WRITTEN,
    contenders.OURS_TENSOR,
]
_WORKING: list[Contender] = [*_PASSING, contenders.FFMPEG, contenders.FFMPEG_FLAT_OUT]
_BLOCKING: list[Contender] = [contenders.STOCK_BLOCKING, contenders.OURS_BLOCKING]


def plot_bench(record: Record, stem: Path) -> None:
    """Write ``stem``.png and .svg: CPU and latency as bars, latency and memory of the blocking runs over time."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    [[cpu, latency], [over_time, memory]] = figure.subplots(2, 2)
    _bars(cpu, record, _WORKING, lambda figures: [figures.cpu_s])
    cpu.set_title("CPU seconds for 1000 frames")
    _bars(latency, record, _PASSING, lambda figures: [figures.latency_p50_ms, figures.latency_p95_ms])
    above = " above the loop-back's" if contenders.LOOP_BACK.key in record.medians else ""
    latency.set_title(f"Latency{above}, p50 and p95, ms")
    _lines(over_time, record, lambda run: [(sent_s + ms / 1000, ms / 1000) for sent_s, ms in run.latencies])
    over_time.set_title("Latency with 100 ms a frame")
    over_time.set(xlabel="came back, s after the first was sent", ylabel="s", yscale="log")
    _lines(memory, record, lambda run: run.memory)
    memory.set_title("Memory with 100 ms a frame")
    memory.set(xlabel="s", ylabel="MB", ylim=(0, None))
    settings = record.settings
    figure.suptitle(
        f"{settings['size']} at {settings['rate']} fps, {record.machine['cpus']} CPUs ({record.machine['cpu']}), "
        f"medians of {settings['runs']} runs"
    )
    save(figure, stem)


def plot_soak(latencies: Sequence[tuple[float, float]], memory: Sequence[tuple[float, float]], stem: Path) -> None:
    """Write ``stem``.png and .svg: latency and memory over minutes."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, series, unit in ((above, latencies, "ms"), (below, memory, "MB")):
        axes.plot([x / 60 for x, _ in series], [y for _, y in series], color="#1b7f5c", linewidth=0.8)
        axes.set(ylabel=unit, ylim=(0, 1.1 * max((y for _, y in series), default=1.0)))
        axes.grid(visible=True, alpha=0.3)
    above.set_title(f"{contenders.OURS_BLOCKING.title}: latency and memory")
    below.set_xlabel("minutes")
    save(figure, stem)


def plot_memory(title: str, held: Sequence[Held], stem: Path) -> None:
    """Write ``stem``.png and .svg: memory and threads after each time."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, series, unit in (
        (above, [one.rss_mb for one in held], "MB"),
        (below, [one.threads for one in held], "threads"),
    ):
        axes.plot(range(1, len(series) + 1), series, color="#1b7f5c", linewidth=1.2)
        axes.set(ylabel=unit, ylim=(0, 1.1 * max(series, default=1)))
        axes.grid(visible=True, alpha=0.3)
    above.set_title(title)
    below.set_xlabel("times")
    save(figure, stem)


def save(figure: Figure, stem: Path) -> None:
    """Write a figure as PNG and as SVG."""
    figure.savefig(stem.with_suffix(".png"), dpi=120)
    figure.savefig(stem.with_suffix(".svg"))


def _bars(
    axes: Axes, record: Record, shown: Sequence[Contender], values: Callable[[Figures], Sequence[float | None]]
) -> None:
    """Draw a group of bars a contender, from top to bottom, each with its number."""
    measured = [contender for contender in shown if contender.key in record.medians]
    for row, contender in enumerate(measured):
        group = [value for value in values(record.medians[contender.key]) if value is not None and math.isfinite(value)]
        height = 0.8 / max(1, len(group))
        for number, value in enumerate(group):
            position = row - 0.4 + (number + 0.5) * height
            bars = axes.barh(position, value, height * 0.9, color=_COLOURS[contender.key], alpha=1 - 0.35 * number)
            axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_yticks(range(len(measured)), [contender.title for contender in measured])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(b=False)


def _lines(axes: Axes, record: Record, series: Callable[[Run], Sequence[tuple[float, float]]]) -> None:
    """Draw a line a run, the first of a contender with its name."""
    for contender in _BLOCKING:
        for number, run in enumerate(_runs(record, contender)):
            label = "_" if number else contender.title
            points = series(run)
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=_COLOURS[contender.key],
                alpha=0.7,
                linewidth=1.2,
                label=label,
            )
    if axes.lines:
        axes.legend(frameon=False)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(b=False)


def _runs(record: Record, contender: Contender) -> Iterator[Run]:
    return (run for run in record.runs if run.contender == contender.key)
