"""The result of a verification: of the replays, of each server or container, and whether it is good enough."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import said_of_no_picture
from byoc_kit.core.timings import percentiles_ms
from byoc_kit.media.quality import Quality
from byoc_kit.verification.replay import Outcome, Replay
from byoc_kit.verification.target import STOP_GRACE_S, Where

_MIN_FRAMES = 0.94
_PTS_HZ = 90_000  # MPEG-TS counts in these


@dataclass(frozen=True)
class Difference:
    """The largest difference of a channel, of 255, in the frames that both kept; ``text`` names the worst frame.

    ``is_alike`` says whether each frame had the same outcome and size in both.
    """

    max_abs_diff: int
    is_alike: bool = True
    text: str = ""

    def is_within(self, limit: int) -> bool:
        """Whether no frame differs by more; 0 means that all frames are equal, also those that were not kept."""
        return self.is_alike and self.max_abs_diff <= limit and (limit > 0 or not self.text)


@dataclass(frozen=True)
class Limits:
    """The limits that a verification must keep.

    They are the part of the frames that come back, the mean PSNR in dB, and how far the module may differ from the
    notebook, of 255. If ``min_frames`` is ``None``, 94 % of the frames that ``process_frame`` has time for must come
    back.
    """

    min_frames: float | None
    min_psnr_db: float
    max_diff: int = 0


@dataclass(frozen=True)
class FrameResult:
    """One frame of the clip: its pts, and what came back for it; ``quality`` if it was compared.

    ``is_wanted`` is false if ``process_frame`` drops it.
    """

    pts: int
    latency_s: float | None = None
    quality: Quality | None = None
    is_wanted: bool = True
    is_back: bool = False


@dataclass(frozen=True)
class Pictures:
    """One frame of the clip, the hooks' output for it, and the picture that came back."""

    number: int
    source: Pixels
    expected: Pixels
    received: Pixels


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    name: str
    value: str
    wanted: str
    is_met: bool


@dataclass
class Streamed:
    """The result of one server or container, filled while the clip goes through.

    ``broken`` says how it broke off, and ``last_lines`` are the last lines of its output. ``pictures`` are for the
    report.
    """

    where: Where
    frames: list[FrameResult] = field(default_factory=list)
    pictures: list[Pictures] = field(default_factory=list)
    health: list[tuple[float, str]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    was_ready: bool = False
    is_ended: bool = True
    broken: str = ""
    last_lines: tuple[str, ...] = ()
    exit_code: int | None = None
    stopped_in_s: float | None = None
    misfit: str = ""

    @property
    def received(self) -> list[FrameResult]:
        """The wanted frames that came back."""
        return [frame for frame in self.wanted if frame.is_back]

    @property
    def wanted(self) -> list[FrameResult]:
        """The frames that should come back."""
        return [frame for frame in self.frames if frame.is_wanted]

    @property
    def mean_psnr_db(self) -> float:
        """Mean PSNR of the compared frames; a frame that is equal to the expected one counts as 100 dB."""
        return _mean([min(frame.quality.psnr_db, 100.0) for frame in self.frames if frame.quality])

    @property
    def mean_ssim(self) -> float:
        """Mean SSIM of the compared frames."""
        return _mean([frame.quality.ssim for frame in self.frames if frame.quality])

    def latency_ms(self) -> dict[str, float]:
        """Return the median and 95th percentile of the time from when a frame is due until it is back completely."""
        return percentiles_ms(frame.latency_s for frame in self.frames if frame.latency_s is not None)

    @property
    def drops(self) -> dict[str, int]:
        """The container's own counts of dropped frames, by place and reason."""
        places: dict[str, dict[str, int]] = self.status.get("drops", {})
        return {f"{place}: {reason}": count for place, reasons in places.items() for reason, count in reasons.items()}

    def checks(self, limits: Limits, *, is_compared: bool) -> list[Check]:
        """Return the verdict, line by line; without the quality if there is nothing to compare with.

        If ``process_frame`` drops every frame, none is expected back.
        """
        is_expected = bool(self.wanted) or not self.frames
        possible = self._possible()
        share = _MIN_FRAMES * possible if limits.min_frames is None else limits.min_frames * len(self.wanted)
        wanted_frames = max(1, math.ceil(share))
        back = f"{len(self.received)} of {len(self.wanted)}"
        checks = [Check("health", " -> ".join(self._health_words) or "no answer", "ok", self.was_ready)]
        if is_expected:
            is_met = len(self.received) >= wanted_frames
            checks.append(Check("frames back", back, f">= {wanted_frames}", is_met))
        psnr_db = self.mean_psnr_db
        if is_compared and is_expected:
            value = self.misfit or ("nothing to compare" if math.isnan(psnr_db) else f"{psnr_db:.2f} dB")
            is_met = psnr_db >= limits.min_psnr_db and not self.misfit
            checks.append(Check("mean PSNR", value, f">= {limits.min_psnr_db:g} dB", is_met))
        value = self.broken or ("ended" if self.is_ended else "hung")
        checks.append(Check("stream", value, "ended", self.is_ended and not self.broken))
        if self.where.is_ours and not (self.broken and self.stopped_in_s is None):  # it ended by itself
            took = math.nan if self.stopped_in_s is None else self.stopped_in_s
            is_clean = self.exit_code == 0 and took <= STOP_GRACE_S
            value = f"exit code {self.exit_code} in {took:.1f} s"
            checks.append(Check("SIGTERM", value, f"exit code 0 in {STOP_GRACE_S:g} s", is_clean))
        return checks

    @property
    def may_have_lost_frames(self) -> bool:
        """Whether frames are missing that ``process_frame`` did not withhold, of a stream that did not break off."""
        more_withheld = self.drops.get("process: withheld", 0) - (len(self.frames) - len(self.wanted))
        return not self.broken and len(self.wanted) - len(self.received) > max(0, more_withheld)

    @property
    def why_fewer(self) -> str:
        """Say that ``process_frame`` is slower than the clip; empty if it is not."""
        fps, clip_fps = self._model_fps, self._clip_fps
        if fps >= clip_fps:
            return ""
        return f"{fps:.0f} fps of {clip_fps:.0f}, since process_frame takes {1000 / fps:.0f} ms"

    def _possible(self) -> int:
        """Return how many of the frames ``process_frame`` has time for.

        A stage that is behind drops frames to stay live: a slow model is not a fault of its container.
        """
        return round(len(self.wanted) * min(1.0, self._model_fps / self._clip_fps)) if self._clip_fps else 0

    @property
    def _model_fps(self) -> float:
        """Frames a second that ``process_frame`` has time for, as the container measured it."""
        took_ms = self.status.get("timings_ms", {}).get("process", {}).get("p50", 0.0)
        return 1000 / took_ms if took_ms else math.inf

    @property
    def _clip_fps(self) -> float:
        if len(self.frames) < 2:
            return float(len(self.frames))
        return (len(self.frames) - 1) * _PTS_HZ / max(1, self.frames[-1].pts - self.frames[0].pts)

    @property
    def _health_words(self) -> list[str]:
        return [word for word, _ in groupby(_word(detail) for _, detail in self.health)]


@dataclass
class Result:
    """The result, filled while the verification runs.

    ``notebook`` and ``module`` are their results for the clip; if both ran, ``difference`` says how far they differ.
    ``streams`` are the server and the container, if asked for; ``not_served`` says why the server is not among them.
    ``drift`` says how the bundle differs from its notebook, if there is one. ``put_back`` names the assets that running
    the notebook changed. ``busy`` says how busy the machine was. ``report`` is the written page.
    """

    limits: Limits
    notebook: Replay | None = None
    module: Replay | None = None
    difference: Difference | None = None
    streams: list[Streamed] = field(default_factory=list)
    not_served: str = "--skip-server"
    drift: str | None = None
    has_notebook: bool = True
    put_back: list[str] = field(default_factory=list)
    busy: str = ""
    report: Path | None = None

    @property
    def truth(self) -> Replay | None:
        """The frames to compare with: the notebook's, else the module's."""
        return next((one for one in (self.notebook, self.module) if one is not None and one.fault is None), None)

    @property
    def params(self) -> Mapping[str, Any]:
        """All parameters, if a replay has reported them."""
        return (self.truth.params if self.truth else None) or {}

    def checks(self) -> list[Check]:
        """Return the verdict, line by line."""
        checks = [*self._check_replays(), *self._check_memory(), self._check_process_frame()]
        for stream in self.streams:
            of_stream = stream.checks(self.limits, is_compared=self.truth is not None)
            checks += [replace(check, name=f"{stream.where.kind}: {check.name}") for check in of_stream]
        if self.put_back:
            value = f"running the notebook changed {', '.join(self.put_back)}, which was put back as it was"
            checks.append(Check("assets", value, "loaded where they are there", is_met=True))
        if self.has_notebook or self.drift is not None:
            said = "as the notebook says"
            checks.append(Check("bundle", self.drift or said, said, self.drift is None))
        return checks

    def notes(self) -> list[tuple[str, str]]:
        """Return what does not fail but is probably not intended, each with its subject."""
        replays = [one for one in (self.notebook, self.module) if one is not None and one.said_of_scale]
        return [("process_frame", one.said_of_scale) for one in replays[:1]]

    def _check_replays(self) -> list[Check]:
        checks = []
        if self.notebook is not None:
            value = self.notebook.failure or "runs to its end"
            checks.append(Check("notebook", value, "runs to its end", not self.notebook.failure))
        module, difference = self.module, self.difference
        if module is None:
            return checks
        if module.failure or difference is None:
            value, wanted = module.failure or "runs to its end", "runs with requirements.lock alone"
            return [*checks, Check("module", value, wanted, not module.failure)]
        raised = module.count(Outcome.RAISED)
        count = f"{raised} frame{'s' * (raised > 1)}"
        equal = f"equal to the notebook, which raises in {count} too" if raised else "equal to the notebook"
        limit = self.limits.max_diff
        wanted = f"at most {limit} of 255 apart" if limit else "equal to the notebook"
        is_met = difference.is_within(limit)
        value = difference.text or equal
        if self.put_back and not is_met:
            value += f"; running the notebook changed {', '.join(self.put_back)}: seed what makes it, or load it"
        return [*checks, Check("module", value, wanted, is_met)]

    def _check_memory(self) -> list[Check]:
        memory = self.module.memory if self.module else None
        if memory is None:
            return []
        return [Check("second stream", memory.said or "as the first", "no exception", not memory.is_failure)]

    def _check_process_frame(self) -> Check:
        failures = [(one.where.kind, failure) for one in self.streams for failure in one.status.get("failures", [])]
        raised = [f"{f['error']} at {f['where']}: {f['message']} ({f['count']}x in the {of})" for of, f in failures]
        replays = [(of, one) for of, one in (("notebook", self.notebook), ("module", self.module)) if one]
        if not raised:
            raised = [f"in the {of} {first_error(one)}" for of, one in replays if one.count(Outcome.RAISED)]
        is_known = any(one.frames for _, one in replays) or any(one.received for one in self.streams)
        if not raised and self.truth is not None and self.truth.makes_no_picture:
            return Check("process_frame", said_of_no_picture(len(self.truth.frames)), "a picture", is_met=False)
        none = "no exception" if is_known else "no frame is known to have gone through it"
        return Check("process_frame", "; ".join(raised) or none, "no exception", is_known and not raised)

    @property
    def is_met(self) -> bool:
        """Whether all checks are met."""
        return all(check.is_met for check in self.checks())


def first_error(one: Replay) -> str:
    """Say which exception ``process_frame`` raises first, and how often it raises."""
    error = next(frame.error for frame in one.frames if frame.outcome is Outcome.RAISED)
    return f"{error}, in {one.count(Outcome.RAISED)} of {len(one.frames)} frames"


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan


def _word(detail: str) -> str:
    """Shorten an answer of ``/health`` to its status."""
    found = re.search(r'"status": ?"([^"]*)"', detail)
    return found[1] if found else "no answer"
