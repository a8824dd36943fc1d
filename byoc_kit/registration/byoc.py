"""A BYOC capability: registered again each minute, since its orchestrator forgets it and no route tells.

The rules are those of go-livepeer's ``byoc/job_orchestrator.go``.
"""

from __future__ import annotations

import asyncio
import json

from byoc_kit.registration.bodies import capability_fields
from byoc_kit.registration.orchestrator import CallError, Orchestrator
from byoc_kit.registration.plan import Plan
from byoc_kit.registration.report import Report
from byoc_kit.registration.streams import Streams

AGAIN_AFTER_S = 60.0
_CALL_TIMEOUT_S = 30.0
_FIRST_PAUSE = 1 / 60  # of the time between registrations, after one that failed


class ByocCapability:
    """Keeps a container registered as a BYOC capability while ``run`` runs."""

    def __init__(
        self,
        plan: Plan,
        orchestrator: Orchestrator,
        streams: Streams,
        report: Report,
        *,
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self._plan = plan
        self._streams = streams
        self._report = report
        self._again_after_s = again_after_s
        self._orchestrator = orchestrator
        self._was_registered = self._has_tried = False

    async def run(self) -> None:
        """Register, and again each minute while no stream runs; until cancelled.

        With each registration the orchestrator counts the streams from none.
        """
        pause = _FIRST_PAUSE
        while True:
            if self._was_registered and not await self._is_idle():
                await asyncio.sleep(self._again_after_s)
                continue
            try:
                await self._register()
                pause = _FIRST_PAUSE
                await asyncio.sleep(self._again_after_s)
            except CallError as error:
                self._report.failed(error)
                await asyncio.sleep(pause * self._again_after_s)
                pause = min(2 * pause, 1.0)

    def drain(self) -> None:
        """Do nothing: a stream that comes is refused by the container itself."""

    async def leave(self, timeout_s: float) -> None:
        """Unregister by the plain name; a registration may have come there whose answer has not come here."""
        if not self._has_tried:
            return
        try:
            await self._post("/capability/unregister", self._plan.capability.model_id.encode(), timeout_s)
        except CallError as error:
            self._report.left(error)
        else:
            self._report.left()

    async def _is_idle(self) -> bool:
        seen = await self._streams.look()
        return seen.is_well and not seen.running

    async def _register(self) -> None:
        plan, report = self._plan, self._report
        body = capability_fields(plan.capability, url=plan.runner_url, token=plan.token)
        report.heartbeats += 1
        self._has_tried = True
        await self._post("/capability/register", json.dumps(body).encode(), _CALL_TIMEOUT_S)
        self._was_registered = True
        if report.is_registered:
            report.heard()
        else:
            report.registered(f"the capability {plan.capability.model_id}")

    async def _post(self, path: str, body: bytes, timeout_s: float) -> None:
        answer = await self._orchestrator.post(path, body, self._plan.secret, timeout_s=timeout_s)
        if answer.strip() != b"ok":
            raise CallError("bad_answer", "its answer is not the ok of an orchestrator")
