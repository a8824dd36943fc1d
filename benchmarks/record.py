"""A whole benchmark as values, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, figures_of, latencies_of, memory_of, summarize
from benchmarks.measure import Seen
from benchmarks.targets import Verdict, above_loop_back, check_targets

_BUSY_LOAD = 0.7
_LATE_MS = 5.0
LATE_WARNING = f"the publisher was late, p95 over {_LATE_MS:g} ms"


@dataclass(frozen=True)
class Run:
    """One contender in one round. ``load`` is the load average before it; the series are (s, ms) and (s, MB)."""

    contender: str
    round: int
    load: float
    is_ended: bool
    figures: Figures
    latencies: list[tuple[float, float]]
    memory: list[tuple[float, float]]

    @classmethod
    def of(cls, seen: Seen, *, contender: str, round: int, load: float, settled_s: float) -> Run:  # noqa: A002
        """Make the record of what was seen."""
        figures = figures_of(seen, settled_s=settled_s)
        return cls(contender, round, load, seen.is_ended, figures, latencies_of(seen), memory_of(seen))


@dataclass(frozen=True)
class Record:
    """All runs, and what they were made with and on."""

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def medians(self) -> dict[str, Figures]:
        """The medians of each contender's runs, latencies above the loop-back's where that was measured."""
        keys = dict.fromkeys(run.contender for run in self.runs)
        return above_loop_back(
            {key: summarize([run.figures for run in self.runs if run.contender == key]) for key in keys}
        )

    @property
    def verdicts(self) -> list[Verdict]:
        """The targets, met or missed."""
        return check_targets(self.medians)

    @property
    def warnings(self) -> list[str]:
        """What makes the figures doubtful."""
        late = {run.contender for run in self.runs if is_late(run.figures)}
        hung = {run.contender for run in self.runs if not run.is_ended}
        found = load_warnings(self.machine["load"])
        if late:
            found.append(f"{LATE_WARNING} in runs of {', '.join(sorted(late))}")
        if hung:
            found.append(f"did not end the stream after its input: {', '.join(sorted(hung))}")
        return found


def load_warnings(load: float) -> list[str]:
    """Warn of a machine that had other work."""
    if load <= _BUSY_LOAD:
        return []
    return [f"the machine was not at rest: its load average was {load} before the first run"]


def is_late(figures: Figures) -> bool:
    """Whether the publisher could not keep its pace: what it measured is then partly its own lateness."""
    return (figures.late_p95_ms or 0.0) > _LATE_MS


def write_json(record: Record, file: Path) -> None:
    """Write everything; a latency of frames of which none came back is ``null`` there."""
    content = {
        "settings": record.settings,
        "machine": record.machine,
        "warnings": record.warnings,
        "medians": {key: asdict(figures) for key, figures in record.medians.items()},
        "targets": [asdict(verdict) for verdict in record.verdicts],
        "runs": [asdict(run) for run in record.runs],
    }
    dump(content, file)


def dump(content: Mapping[str, Any], file: Path) -> None:
    """Write JSON, without the numbers that it has no word for."""
    file.write_text(json.dumps(_finite(content), indent=1) + "\n")


def _finite(value: Any) -> Any:
    """Round floats, and put ``None`` for those that JSON has no word for."""
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
