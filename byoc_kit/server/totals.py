"""Counts over all streams that a container has served, which a monitor may only see grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from byoc_kit.stage import MAX_KINDS, OTHERS


@dataclass
class Totals:
    """Sums of what the streams' statuses count."""

    started: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    drops: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, status: dict[str, Any]) -> None:
        """Add a stream's status."""
        for name in ("frames_in", "frames_out", "frames_encoded", "segments_out", "segments_lost"):
            self.counts[name] += status.get(name, 0)
        for place, reasons in status.get("drops", {}).items():
            for reason, count in reasons.items():
                self.drops[place, reason] += count
        for failure in status.get("failures", []):
            error = failure["error"]
            is_known = error in self.failures or len(self.failures) < MAX_KINDS
            self.failures[error if is_known else OTHERS] += failure["count"]
        self.faults.update(status.get("faults", {}))

    def with_running(self, statuses: Iterable[dict[str, Any]]) -> Totals:
        """Return the sums with those of the streams that still run."""
        total = Totals(self.started, self.counts.copy(), self.drops.copy(), self.failures.copy(), self.faults.copy())
        for status in statuses:
            total.add(status)
        return total
