"""The result of a verification, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from byoc_kit.verification.compare import Difference
from byoc_kit.verification.replay import Outcome, Replay
from byoc_kit.verification.streamed import Check, Limits, Streamed


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
        checks = [*self._check_replays(), *self._check_memory(), self._check_exceptions()]
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

    def _check_exceptions(self) -> Check:
        failures = [(one.where.kind, failure) for one in self.streams for failure in one.status.get("failures", [])]
        raised = [f"{f['error']} at {f['where']}: {f['message']} ({f['count']}x in the {of})" for of, f in failures]
        replays = [(of, one) for of, one in (("notebook", self.notebook), ("module", self.module)) if one]
        if not raised:
            raised = [f"in the {of} {first_error(one)}" for of, one in replays if one.count(Outcome.RAISED)]
        is_known = any(one.frames for _, one in replays) or any(one.received for one in self.streams)
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
