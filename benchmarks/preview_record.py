"""A benchmark of the preview as values, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.preview_contenders import ALL
from benchmarks.preview_figures import PreviewFigures, check_targets, figures_of, medians_of
from benchmarks.preview_measure import Watched
from benchmarks.record import dump, load_warnings
from benchmarks.table import verdict_lines, warning_lines
from benchmarks.targets import Verdict
from byoc_kit.system.table import aligned

_CLOCK_MS = 5.0
_LOOKS_FPS = 45.0

_NOTES = [
    "latency: from the return of process_frame to the first repaint with its picture; oldest: from its submission",
    "gap: the longest time without a new picture; busy: while twelve cells of 0.7 s run one after the other",
    "kernel: decoding, conversion, copies, scaling, JPEG, messages; without process_frame, which marks a picture",
    "server: JupyterLab's; page: Chromium's renderers, with the reading of the marks",
]


@dataclass(frozen=True)
class PreviewRun:
    """One contender in one round. ``load`` is that before it; ``shown_s`` when each picture was first seen."""

    contender: str
    round: int
    load: float
    clock_ms: float
    figures: PreviewFigures
    shown_s: list[float]
    busy_shown_s: list[float]

    @classmethod
    def of(cls, watched: Watched, *, contender: str, round: int, load: float) -> PreviewRun:  # noqa: A002
        """Make the record of what was watched, its times counted from the beginning of their window."""
        shown_s, busy_shown_s = (
            [seen_s - window.start_s for _, seen_s in window.shown] for window in (watched.playing, watched.busy)
        )
        return cls(contender, round, load, watched.clock_ms, figures_of(watched), shown_s, busy_shown_s)


@dataclass(frozen=True)
class PreviewRecord:
    """All runs, and what they were made with and on."""

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    runs: Sequence[PreviewRun]

    @property
    def medians(self) -> dict[str, PreviewFigures]:
        """The medians of each contender's runs."""
        keys = dict.fromkeys(run.contender for run in self.runs)
        return {key: medians_of([run.figures for run in self.runs if run.contender == key]) for key in keys}

    @property
    def verdicts(self) -> list[Verdict]:
        """The targets, met or missed."""
        return check_targets(self.medians)

    @property
    def warnings(self) -> list[str]:
        """What makes the figures doubtful."""
        off_ms = max((abs(run.clock_ms) for run in self.runs), default=0.0)
        rarely = sorted({run.contender for run in self.runs if run.figures.looks_fps < _LOOKS_FPS})
        found = load_warnings(self.machine["load"])
        if not self.settings["is_kept"]:
            found.append("the clip does not fit into a 32nd of the memory, so all of byoc-kit's runs decode each frame")
        if off_ms > _CLOCK_MS:
            found.append(f"the clocks of page and kernel were {off_ms:.0f} ms apart, so the latencies may be too")
        if rarely:
            found.append(
                f"the page was repainted less than {_LOOKS_FPS:g} times a second in runs of {', '.join(rarely)}"
            )
        return found


def write_preview_json(record: PreviewRecord, file: Path) -> None:
    """Write everything."""
    content = {
        "settings": record.settings,
        "machine": record.machine,
        "warnings": record.warnings,
        "medians": {key: asdict(figures) for key, figures in record.medians.items()},
        "targets": [asdict(verdict) for verdict in record.verdicts],
        "runs": [asdict(run) for run in record.runs],
    }
    dump(content, file)


def preview_table(record: PreviewRecord) -> str:
    """Return the whole report: what was run, a line a contender, the targets, the warnings."""
    return "\n".join(
        [
            *heading(record),
            "",
            *aligned(_rows(record), right=range(1, 20)),
            *_NOTES,
            "",
            *verdict_lines(record.verdicts),
            *warning_lines(record.warnings),
        ]
    )


def heading(record: PreviewRecord) -> list[str]:
    """Say what was run, on what, with which versions."""
    settings, machine = record.settings, record.machine
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    what = f"{settings['clip']} at {settings['size']}, {settings['rate']} fps, shown at {settings['shown']}"
    return [
        f"{what}; {settings['seconds']:g} s a run, medians of {settings['runs']} runs",
        f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['os']}, Python {machine['python']}",
        versions,
    ]


def _rows(record: PreviewRecord) -> list[list[str]]:
    latency = ["latency p50 ms", "p95 ms", "oldest ms"]
    head = ["", "processed fps", "shown fps", *latency, "gap ms", "busy ms", "CPU %: kernel", "server", "page"]
    medians = record.medians
    return [
        head,
        *([contender.title, *_cells(medians[contender.key])] for contender in ALL if contender.key in medians),
    ]


def _cells(figures: PreviewFigures) -> list[str]:
    rates = [figures.processed_fps, figures.shown_fps]
    times_ms = [
        figures.latency_p50_ms,
        figures.latency_p95_ms,
        figures.age_worst_ms,
        figures.gap_ms,
        figures.busy_gap_ms,
    ]
    shares = [figures.kernel_cpu, figures.server_cpu, figures.page_cpu]
    return [
        *(f"{rate:.1f}" for rate in rates),
        *(f"{ms:.0f}" for ms in times_ms),
        *(f"{share:.0f}" for share in shares),
    ]
