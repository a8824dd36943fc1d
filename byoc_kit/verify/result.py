"""What a verification found, and whether it is good enough."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean
from typing import Any

from byoc_kit.media.quality import Quality
from byoc_kit.verify.difference import Difference
from byoc_kit.verify.replay import Outcome, Replay
from byoc_kit.verify.target import STOP_GRACE_S


@dataclass(frozen=True)
class Limits:
    """What must be met.

    The part of the frames that come back, the mean PSNR in dB, and how far the module may be from the notebook, of 255.
    """

    min_frames: float
    min_psnr_db: float
    max_diff: int = 0


@dataclass(frozen=True)
class FrameResult:
    """One frame of the clip: its pts, and what came back for it; ``quality`` where it was compared.

    ``is_wanted`` is false for one that ``process_frame`` drops.
    """

    pts: int
    latency_s: float | None = None
    quality: Quality | None = None
    is_wanted: bool = True
    is_back: bool = False


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    name: str
    value: str
    wanted: str
    is_met: bool


@dataclass
class Result:
    """All that was seen; filled while the verification goes on.

    ``notebook`` and ``module`` are what they made of the clip here, ``difference`` how far they are apart where both
    ran, ``not_streamed`` why the clip went through no server. ``broken`` says how the server or container broke off,
    and ``last_lines`` is what it said last.
    """

    limits: Limits
    notebook: Replay | None = None
    module: Replay | None = None
    difference: Difference | None = None
    not_streamed: str = ""
    frames: list[FrameResult] = field(default_factory=list)
    health: list[tuple[float, str]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    was_ready: bool = False
    is_ended: bool = True
    broken: str = ""
    last_lines: tuple[str, ...] = ()
    is_ours: bool = True
    exit_code: int | None = None
    stopped_in_s: float | None = None
    drift: str | None = None
    misfit: str = ""

    @property
    def truth(self) -> Replay | None:
        """What comes back is judged against this: the notebook's frames, else the module's."""
        return next((one for one in (self.notebook, self.module) if one is not None and one.fault is None), None)

    @property
    def params(self) -> Mapping[str, Any]:
        """All the parameters, as far as a replay has said them."""
        return (self.truth.params if self.truth else None) or {}

    @property
    def received(self) -> list[FrameResult]:
        """The frames that came back, of those that were to."""
        return [frame for frame in self.wanted if frame.is_back]

    @property
    def wanted(self) -> list[FrameResult]:
        """The frames that were to come back."""
        return [frame for frame in self.frames if frame.is_wanted]

    @property
    def mean_psnr_db(self) -> float:
        """Mean PSNR of the frames that were compared; one equal to its expectation counts 100 dB."""
        return _mean([min(frame.quality.psnr_db, 100.0) for frame in self.frames if frame.quality])

    @property
    def mean_ssim(self) -> float:
        """Mean SSIM of the frames that were compared."""
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
        checks = [*self._check_replays(), self._check_exceptions()]
        if not self.not_streamed:
            checks += self._check_stream()
        checks.append(Check("bundle", self.drift or "as the notebook says", "as the notebook says", self.drift is None))
        return checks

    def _check_replays(self) -> list[Check]:
        checks = []
        if self.notebook is not None:
            value = self.notebook.failure or "runs to its end"
            checks.append(Check("notebook", value, "runs to its end", not self.notebook.failure))
        if self.module is not None and (self.module.failure or self.difference is None):
            value, wanted = self.module.failure or "runs to its end", "runs with requirements.lock alone"
            checks.append(Check("module", value, wanted, not self.module.failure))
        elif self.difference is not None:
            value = self.difference.text or "equal to the notebook"
            limit = self.limits.max_diff
            wanted = f"at most {limit} of 255 apart" if limit else "equal to the notebook"
            checks.append(Check("module", value, wanted, self.difference.is_within(limit)))
        return checks

    def _check_exceptions(self) -> Check:
        failures = self.status.get("failures", [])
        raised = [f"{f['error']} at {f['where']}: {f['message']} ({f['count']}x)" for f in failures]
        if not raised:
            both = [(of, one) for of, one in (("notebook", self.notebook), ("module", self.module)) if one]
            raised = [f"in the {of} {first_error(one)}" for of, one in both if one.count(Outcome.RAISED)]
        return Check("process_frame", "; ".join(raised) or "no exception", "no exception", not raised)

    def _check_stream(self) -> list[Check]:
        wanted_frames = math.ceil(self.limits.min_frames * len(self.wanted))
        back = f"{len(self.received)} of {len(self.wanted)}"
        checks = [
            Check("health", " -> ".join(self._health_words) or "no answer", "ok", self.was_ready),
            Check("frames back", back, f">= {wanted_frames}", len(self.received) >= wanted_frames > 0),
        ]
        psnr_db = self.mean_psnr_db
        if self.truth is not None:
            value = self.misfit or ("nothing to compare" if math.isnan(psnr_db) else f"{psnr_db:.2f} dB")
            is_met = psnr_db >= self.limits.min_psnr_db and not self.misfit
            checks.append(Check("mean PSNR", value, f">= {self.limits.min_psnr_db:g} dB", is_met))
        value = self.broken or ("ended" if self.is_ended else "hung")
        checks.append(Check("stream", value, "ended", self.is_ended and not self.broken))
        if self.is_ours and not (self.broken and self.stopped_in_s is None):  # it has ended by itself
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


def first_error(one: Replay) -> str:
    """Say what ``process_frame`` raises first, and how often it raises."""
    error = next(frame.error for frame in one.frames if frame.outcome is Outcome.RAISED)
    return f"{error}, in {one.count(Outcome.RAISED)} of {len(one.frames)} frames"


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan


def _word(detail: str) -> str:
    """Shorten an answer of ``/health`` to its status."""
    found = re.search(r'"status": ?"([^"]*)"', detail)
    return found[1] if found else "no answer"
