"""What a verification found, and whether it is good enough."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean
from typing import Any

from byoc_kit.media.quality import Quality
from byoc_kit.verify.target import STOP_GRACE_S


@dataclass(frozen=True)
class Limits:
    """What must be met: the part of the frames that come back, and the mean PSNR in dB."""

    min_frames: float
    min_psnr_db: float


@dataclass(frozen=True)
class FrameResult:
    """One frame of the clip: its pts, and what came back for it, if anything did."""

    pts: int
    latency_s: float | None = None
    quality: Quality | None = None


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    name: str
    value: str
    wanted: str
    is_met: bool


@dataclass
class Result:
    """All that was seen; filled while the verification goes on."""

    limits: Limits
    frames: list[FrameResult] = field(default_factory=list)
    health: list[tuple[float, str]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    was_ready: bool = False
    is_ended: bool = True
    is_ours: bool = True
    exit_code: int | None = None
    stopped_in_s: float | None = None
    drift: str | None = None

    @property
    def received(self) -> list[FrameResult]:
        """The frames that came back."""
        return [frame for frame in self.frames if frame.quality is not None]

    @property
    def mean_psnr_db(self) -> float:
        """Mean PSNR of the frames that came back; a frame equal to its expectation counts 100 dB."""
        return _mean([min(frame.quality.psnr_db, 100.0) for frame in self.frames if frame.quality])

    @property
    def mean_ssim(self) -> float:
        """Mean SSIM of the frames that came back."""
        return _mean([frame.quality.ssim for frame in self.frames if frame.quality])

    def latency_ms(self, percentile: int) -> float:
        """Return a percentile of the time from a frame's being due to its being back whole."""
        latencies = sorted(frame.latency_s for frame in self.frames if frame.latency_s is not None)
        if not latencies:
            return math.nan
        return 1000 * latencies[min(len(latencies) - 1, len(latencies) * percentile // 100)]

    @property
    def drops(self) -> dict[str, int]:
        """The container's own count of the frames it left out, by place and reason."""
        places: dict[str, dict[str, int]] = self.status.get("drops", {})
        return {f"{place}: {reason}": count for place, reasons in places.items() for reason, count in reasons.items()}

    def checks(self) -> list[Check]:
        """Return the verdict, line by line."""
        wanted_frames = math.ceil(self.limits.min_frames * len(self.frames))
        failures = self.status.get("failures", [])
        raised = "; ".join(f"{f['error']} at {f['where']}: {f['message']} ({f['count']}x)" for f in failures)
        checks = [
            Check("health", " -> ".join(self._health_words) or "no answer", "ok", self.was_ready),
            Check(
                "frames back",
                f"{len(self.received)} of {len(self.frames)}",
                f">= {wanted_frames}",
                len(self.received) >= wanted_frames > 0,
            ),
            Check(
                "mean PSNR",
                f"{self.mean_psnr_db:.2f} dB",
                f">= {self.limits.min_psnr_db:g} dB",
                self.mean_psnr_db >= self.limits.min_psnr_db,
            ),
            Check("process_frame", raised or "no exception", "no exception", not failures),
            Check("stream", "ended" if self.is_ended else "hung", "ended", self.is_ended),
            Check("bundle", self.drift or "as the notebook says", "as the notebook says", self.drift is None),
        ]
        if self.is_ours:
            took = math.nan if self.stopped_in_s is None else self.stopped_in_s
            is_clean = self.exit_code == 0 and took <= STOP_GRACE_S
            value = f"exit code {self.exit_code} in {took:.1f} s"
            checks.append(Check("SIGTERM", value, f"exit code 0 in {STOP_GRACE_S:g} s", is_clean))
        return checks

    @property
    def _health_words(self) -> list[str]:
        return [word for word, _ in groupby(_word(detail) for _, detail in self.health)]

    @property
    def is_met(self) -> bool:
        """Whether nothing falls short."""
        return all(check.is_met for check in self.checks())


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan


def _word(detail: str) -> str:
    """Shorten an answer of ``/health`` to its status."""
    found = re.search(r'"status": ?"([^"]*)"', detail)
    return found[1] if found else "no answer"
