"""From what was watched to the figures that are compared, and what byoc-kit's must be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from statistics import median

from benchmarks.figures import percentile
from benchmarks.preview_contenders import NAP_S, OURS, OURS_SLOW
from benchmarks.preview_measure import Note, Watched, Window
from benchmarks.targets import Verdict, at_most

_FPS = 29.5  # the clip's 30, less what the ends of a window may cut off
_CPU_PERCENT = 25.0
_LATENCY_MS = 100.0
_GAP_MS = 500.0


@dataclass(frozen=True)
class PreviewFigures:
    """One run, or the medians of several. CPU is in per cent of a core; an infinite figure is that nothing was shown.

    ``latency``: from the return of process_frame to the first repaint that has the picture. ``age``: the same from when
    the frame was submitted. ``gap``: the longest time without a new picture, and that while other cells run.
    ``kernel_cpu`` is without what process_frame takes by itself. ``looks_fps``: how often the page was looked at.
    """

    processed_fps: float
    shown_fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    age_p50_ms: float
    age_worst_ms: float
    gap_ms: float
    busy_gap_ms: float
    kernel_cpu: float
    server_cpu: float
    page_cpu: float
    looks_fps: float


def figures_of(watched: Watched) -> PreviewFigures:
    """Return the figures of one run."""
    window = watched.playing
    lasted_s = window.end_s - window.start_s
    notes = {note.number: note for note in watched.notes}
    within = [note for note in watched.notes if window.start_s <= note.returned_s <= window.end_s]
    shown = [(notes[number], seen_s) for number, seen_s in window.shown if number in notes]
    latencies_ms = [1000 * (seen_s - note.returned_s) for note, seen_s in shown]
    ages_ms = [1000 * (seen_s - note.submitted_s) for note, seen_s in shown]
    return PreviewFigures(
        processed_fps=len(within) / lasted_s,
        shown_fps=len(shown) / lasted_s,
        latency_p50_ms=percentile(latencies_ms, 50) if shown else math.inf,
        latency_p95_ms=percentile(latencies_ms, 95) if shown else math.inf,
        age_p50_ms=percentile(ages_ms, 50) if shown else math.inf,
        age_worst_ms=max(ages_ms, default=math.inf),
        gap_ms=longest_gap_ms(window),
        busy_gap_ms=longest_gap_ms(watched.busy),
        kernel_cpu=100 * (window.cpu_s["kernel"] - _own_cpu_s(within)) / lasted_s,
        server_cpu=100 * window.cpu_s["server"] / lasted_s,
        page_cpu=100 * window.cpu_s["page"] / lasted_s,
        looks_fps=window.looks / lasted_s,
    )


def longest_gap_ms(window: Window) -> float:
    """Return the longest time between two new pictures, or one and an end of the window."""
    inside = [seen_s for _, seen_s in window.shown if window.start_s <= seen_s <= window.end_s]
    times_s = [window.start_s, *inside, window.end_s]
    return 1000 * max(after_s - before_s for before_s, after_s in pairwise(times_s))


def medians_of(runs: Sequence[PreviewFigures]) -> PreviewFigures:
    """Return the median of each figure."""
    names = [field.name for field in fields(PreviewFigures)]
    return PreviewFigures(**{name: median(getattr(run, name) for run in runs) for name in names})


def check_targets(medians: Mapping[str, PreviewFigures]) -> list[Verdict]:
    """Return the verdicts on byoc-kit's preview.

    That a slow process_frame raises latency by two of its frames at most is said of the age of a picture when it is
    shown: the frame may wait while another one is processed, and is then processed itself, so it is twice that old, and
    as old as a fast process_frame's picture besides. What is held against this is the oldest picture of a run.
    """
    verdicts = []
    if OURS.key in medians:
        ours = medians[OURS.key]
        verdicts += [
            Verdict("byoc-kit: shown", f"{ours.shown_fps:.1f} fps", f">= {_FPS:g} fps", is_met=ours.shown_fps >= _FPS),
            at_most("byoc-kit: kernel CPU beside process_frame", ours.kernel_cpu, _CPU_PERCENT, " %"),
            at_most("byoc-kit: latency p95", ours.latency_p95_ms, _LATENCY_MS, " ms"),
            at_most("byoc-kit: longest gap while other cells run", ours.busy_gap_ms, _GAP_MS, " ms"),
        ]
    if OURS.key in medians and OURS_SLOW.key in medians:
        limit_ms = round(2000 * NAP_S + medians[OURS.key].latency_p95_ms)
        verdicts.append(
            at_most(f"{OURS_SLOW.title}: oldest picture", medians[OURS_SLOW.key].age_worst_ms, limit_ms, " ms")
        )
    return verdicts


def _own_cpu_s(notes: Sequence[Note]) -> float:
    return notes[-1].own_cpu_s - notes[0].own_cpu_s if notes else 0.0
