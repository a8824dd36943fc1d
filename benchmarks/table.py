"""The figures and verdicts as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.contenders import ALL, LOOP_BACK, Server
from benchmarks.figures import Figures
from benchmarks.record import Record
from benchmarks.targets import Verdict
from byoc_kit.system.table import aligned


def table(record: Record) -> str:
    """Return the whole report: what was run, a line a contender, the targets, the warnings."""
    return "\n".join(
        [
            *_heading(record),
            "",
            *aligned(_rows(record), right=range(1, 20)),
            *_notes(record),
            "",
            *verdict_lines(record.verdicts),
            *warning_lines(record.warnings),
        ]
    )


def _heading(record: Record) -> list[str]:
    settings, machine = record.settings, record.machine
    what = f"{settings['clip']} at {settings['size']}, {settings['rate']} fps, {settings['seconds']:g} s a run"
    versions = f"Python {machine['python']}, PyAV {machine['av']}, pytrickle {machine['pytrickle']}"
    return [
        f"{what}, medians of {settings['runs']} runs (of lost frames the most)",
        f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['os']}, {versions}",
        f"ffmpeg: {machine['ffmpeg']}; x264 {machine['x264']}; threads: {machine['threads']}",
    ]


def _rows(record: Record) -> list[list[str]]:
    medians = record.medians
    star = "*" if LOOP_BACK.key in medians else ""
    latency = [f"p50 ms{star}", f"p95 ms{star}"]
    lost = ["lost: start", "middle", "end"]
    return [
        ["", "CPU s/1000", *latency, "ready MB", "peak MB", *lost, "/health p50 ms", "p99 ms", "late p95 ms"],
        *([contender.title, *_cells(medians[contender.key])] for contender in ALL if contender.key in medians),
    ]


def _cells(figures: Figures) -> list[str]:
    return [
        _number(figures.cpu_s, 2),
        _number(figures.latency_p50_ms, 1),
        _number(figures.latency_p95_ms, 1),
        _number(figures.ready_rss_mb, 0),
        _number(figures.peak_rss_mb, 0),
        _number(figures.lost_start, 0),
        _number(figures.lost_middle, 0),
        _number(figures.lost_end, 0),
        _number(figures.health_p50_ms, 1),
        _number(figures.health_p99_ms, 1),
        _number(figures.late_p95_ms, 1),
    ]


def _notes(record: Record) -> list[str]:
    medians = record.medians
    notes = [
        "CPU s/1000: of the whole process, for 1000 frames of the input; with 20 calls of /health a second to a server",
        "late: how long after its due time a picture was handed to the publisher; no part of any latency",
    ]
    if LOOP_BACK.key in medians:
        notes.append("*: latency above the loop-back's, whose own is in its line")
    for contender in ALL:
        if not isinstance(contender, Server) or contender.key not in medians or not contender.settled_s:
            continue
        behind = _number(medians[contender.key].behind_ms, 0)
        notes.append(
            f"{contender.title}: latency of the frames sent after second {contender.settled_s:g}; "
            f"the last frame that came back was {behind} ms behind"
        )
    return notes


def _verdict_row(verdict: Verdict) -> list[str]:
    word = {True: "met", False: "MISSED", None: "-"}[verdict.is_met]
    return [word, verdict.name, verdict.value, f"wanted {verdict.wanted}"]


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line a target, and which are missed."""
    if not verdicts:
        return []
    missed = [verdict.name for verdict in verdicts if verdict.is_met is False]
    summary = f"{len(missed)} of {len(verdicts)} targets missed: {'; '.join(missed)}" if missed else "no target missed"
    return [*aligned([_verdict_row(verdict) for verdict in verdicts], right={2}), summary]


def warning_lines(warnings: Sequence[str]) -> list[str]:
    """Return a line a warning."""
    return [f"WARNING: {warning}" for warning in warnings]


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else "none back"
