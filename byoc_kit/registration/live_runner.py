"""A dynamic Live Runner: it registers by its first heartbeat, and each further one keeps it and its sessions alive.

The rules are those of go-livepeer's ``ai/runner/live_runner.go``. Each heartbeat replaces all that the orchestrator
knows of the runner, and each answer has the sessions that there are.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from byoc_kit import __version__
from byoc_kit.registration.bodies import runner_fields, runner_label
from byoc_kit.registration.orchestrator import CallError, Orchestrator
from byoc_kit.registration.pace import Limits, Pace
from byoc_kit.registration.plan import Plan
from byoc_kit.registration.report import Report
from byoc_kit.registration.streams import Seen, Streams
from byoc_kit.system.addresses import origin_of

logger = logging.getLogger(__name__)

_CALL_TIMEOUT_S = 30.0
"""A slow answer to a registration is waited for: without it, the runner is registered and its secret is lost."""
_LEAST_TIMEOUT_S = 0.1
_LONGEST_PAUSE = 30.0  # of the least intervals, between tries to register
_FIRST_RETRY, _QUICK_RETRY, _LONGEST_RETRY = 1 / 8, 1 / 2, 6.0  # of the interval, after a heartbeat that failed
_MOST_DOUBLINGS = 8  # by then the longest is reached, and no float holds two to the power of 1024
_QUICK_RETRIES = 8  # by then the orchestrator has forgotten the runner, and there is no hurry any more


@dataclass
class Membership:
    """One registration; ``is_unknown`` where the last answer was that the orchestrator has no such runner."""

    runner_id: str
    secret: str
    pace: Pace
    signals_url: str | None
    session_ids: frozenset[str] = frozenset()
    failures_in_a_row: int = 0
    is_unknown: bool = False

    @property
    def pause_s(self) -> float:
        """Seconds from the last heartbeat to the next: fewer after one that failed, since time runs out, then more."""
        failures = self.failures_in_a_row
        if not failures:
            return self.pace.interval_s
        if failures <= _QUICK_RETRIES:
            return self.pace.interval_s * min(_QUICK_RETRY, _FIRST_RETRY * 2.0 ** (failures - 1))
        doublings = min(failures - _QUICK_RETRIES, _MOST_DOUBLINGS)
        return self.pace.interval_s * min(2.0**doublings, _LONGEST_RETRY)


class LiveRunner:
    """Keeps a container registered as a Live Runner while ``run`` runs."""

    def __init__(
        self, plan: Plan, orchestrator: Orchestrator, streams: Streams, report: Report, *, limits: Limits | None = None
    ) -> None:
        self._plan = plan
        self._orchestrator = orchestrator
        self._streams = streams
        self._report = report
        self._limits = limits or Limits()
        self._membership: Membership | None = None
        self._named: frozenset[str] = frozenset()  # the sessions that the orchestrator has named
        self._registering: asyncio.Task[Membership] | None = None
        self._is_draining = False
        self._due = asyncio.Event()
        self._has_said_pace = self._has_said_address = False

    async def run(self) -> None:
        """Register, send heartbeats, and register anew where the orchestrator has forgotten this; until cancelled."""
        membership = await self._register()
        while True:
            membership = await self._stay(membership)

    def drain(self) -> None:
        """Take no further sessions: a capacity of as many as there are leaves those alone."""
        self._is_draining = True
        self._due.set()

    async def leave(self, timeout_s: float) -> None:
        """Unregister. The orchestrator then ends what sessions there still are.

        A registration that is on its way is waited for: with its answer comes the secret that can undo it.
        """
        by_s = asyncio.get_running_loop().time() + timeout_s
        if self._registering is not None:
            await asyncio.wait([self._registering], timeout=timeout_s)
        membership = self._membership
        if membership is None:
            return
        timeout_s = max(_LEAST_TIMEOUT_S, by_s - asyncio.get_running_loop().time())
        path = f"/runners/{quote(membership.runner_id, safe='')}/unregister"
        try:
            await self._orchestrator.post(path, b"", membership.secret, timeout_s=timeout_s)
        except CallError as error:
            self._report.left(None if error.is_unknown_runner else error)
        else:
            self._report.left()

    async def _register(self) -> Membership:
        """Register under the id that was given, or under a new one; try until that succeeds."""
        self._membership = None
        pause = 1.0
        while True:
            try:
                return await self._register_as(self._plan.runner_id)
            except CallError as error:
                self._report.failed(error)
            await asyncio.sleep(pause * self._limits.least_s)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _register_as(self, runner_id: str) -> Membership:
        """Register once; this may be cancelled, and the registration goes on, for ``leave`` to undo it."""
        self._registering = asyncio.create_task(self._register_once(runner_id), name="register")
        try:
            return await asyncio.shield(self._registering)
        finally:
            if self._registering.done():
                self._registering = None

    async def _register_once(self, runner_id: str) -> Membership:
        """Register. A new registration has no sessions, so those that ran by one before it end."""
        seen = await self._streams.look()
        answer = await self._send(runner_id, self._plan.secret, seen, is_ready=True, timeout_s=_CALL_TIMEOUT_S)
        given, secret, signals = _text(answer, "runner_id"), _text(answer, "heartbeat_secret"), answer.get("o2r")
        if given is None or secret is None:
            raise CallError("bad_answer", "its answer has no runner_id and heartbeat_secret")
        self._orchestrator.learned(secret)
        url = _text(signals, "url") if isinstance(signals, dict) else None
        self._membership = Membership(given, secret, self._pace_of(answer), url)
        self._report.registered(f"the Live Runner {given}", runner_id=given)
        self._compare_address(_text(answer, "orchestrator"))
        self._end_released(frozenset(), seen)
        return self._membership

    async def _stay(self, membership: Membership) -> Membership:
        """Send heartbeats; return the registration that comes in place of this one.

        An answer that is late, or lost, keeps no heartbeat from being sent. Where one is refused as of a runner that
        is not known, this registers again under the same id, and sends heartbeats meanwhile: an orchestrator that was
        restarted takes the runner in, and one that still knows it refuses. Then the answer came from something between.
        """
        loop = asyncio.get_running_loop()
        beside = {asyncio.create_task(self._follow_signals(membership), name="signals")}
        renewal: asyncio.Task[Membership | None] | None = None
        try:
            await self._until_due(loop.time() + membership.pace.interval_s)
            while True:
                sent_s = loop.time()
                heartbeat = asyncio.create_task(self._heartbeat(membership), name="heartbeat")
                beside.add(heartbeat)
                await asyncio.wait([heartbeat], timeout=membership.pace.interval_s)
                beside -= _ended(beside)
                if renewal is None and membership.is_unknown:
                    renewal = asyncio.create_task(self._renewed(membership), name="renewal")
                await self._until_due(sent_s + membership.pause_s)
                if renewal is not None and renewal.done():
                    if renewed := renewal.result():
                        return renewed
                    renewal = None
        finally:
            left = beside | ({renewal} if renewal is not None else set())
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)

    async def _renewed(self, membership: Membership) -> Membership | None:
        """Register again; ``None`` where that fails."""
        try:
            return await self._register_as(membership.runner_id)
        except CallError as error:
            self._report.failed(error)
            return None
        finally:
            self._due.set()

    async def _heartbeat(self, membership: Membership) -> None:
        seen = await self._streams.look()
        is_ready = seen.is_well or bool(seen.session_ids or membership.session_ids)
        timeout_s = min(membership.pace.ttl_s, _CALL_TIMEOUT_S)
        try:
            answer = await self._send(
                membership.runner_id, membership.secret, seen, is_ready=is_ready, timeout_s=timeout_s
            )
            session_ids = _session_ids(answer)
        except CallError as error:
            if membership is self._membership:
                membership.failures_in_a_row += 1
                membership.is_unknown = error.is_unknown_runner
                self._report.failed(error)
            return
        if membership is not self._membership:  # a late answer, to a registration before the present one
            return
        membership.failures_in_a_row, membership.is_unknown = 0, False
        membership.pace = self._pace_of(answer)
        membership.session_ids = session_ids
        if secret := _text(answer, "heartbeat_secret"):  # go-livepeer may come to rotate it
            membership.secret = secret
            self._orchestrator.learned(secret)
        self._report.heard()
        self._end_released(session_ids, seen)

    async def _send(
        self, runner_id: str, secret: str, seen: Seen, *, is_ready: bool, timeout_s: float
    ) -> dict[str, Any]:
        """Send a heartbeat with all that there is to say: what one leaves out, the orchestrator forgets.

        A status that is not ready would also cut off the sessions that run.
        """
        plan = self._plan
        body = {
            "runner_id": runner_id,
            "label": runner_label(plan.capability),
            "runner_url": plan.runner_url,
            **runner_fields(plan.capability, kit_version=__version__, params_sha256=plan.params_sha256, mode=plan.mode),
            "status": "ready" if is_ready else "unavailable",
            "session_ids": list(seen.session_ids),
        }
        if self._is_draining:
            body["capacity"] = max(1, len(seen.session_ids))
        self._report.heartbeats += 1
        return await self._orchestrator.post_json("/runners/heartbeat", body, secret, timeout_s=timeout_s)

    def _end_released(self, session_ids: frozenset[str], seen: Seen) -> None:
        """End the sessions that the orchestrator no longer has, of those that ran before it was asked.

        One that it has never named is of another orchestrator. If not, it was released before the first answer that
        could have named it, and ends with its channels.
        """
        ran = frozenset(seen.session_ids)
        for session_id in (ran & self._named) - session_ids:
            self._streams.end(session_id)
        self._named = session_ids | (ran & self._named)

    def _compare_address(self, said: str | None) -> None:
        """Say once if sessions will come with another address to call back than the one that alone may be called."""
        try:
            theirs = origin_of(said or "")
        except ValueError:  # it names none
            return
        if theirs != origin_of(self._plan.orchestrator_url) and not self._has_said_address:
            self._has_said_address = True
            shown = self._orchestrator.clean(theirs)
            logger.warning("sessions will be refused: the orchestrator names itself %s; register there", shown)

    def _pace_of(self, answer: dict[str, Any]) -> Pace:
        interval, ttl = answer.get("heartbeat_interval"), answer.get("heartbeat_ttl")
        pace = Pace.of(interval, ttl, self._limits)
        if not pace.is_as_said and not self._has_said_pace:
            self._has_said_pace = True
            said = self._orchestrator.clean(f"a heartbeat each {interval!r} and forgets a runner after {ttl!r}")
            logger.warning("the orchestrator wants %s; it gets one each %g s", said, pace.interval_s)
        return pace

    async def _until_due(self, due_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_s):
                await self._due.wait()
        self._due.clear()

    async def _follow_signals(self, membership: Membership) -> None:
        """Send a heartbeat at once where the orchestrator says that a session is over, and believe only its answer."""
        if membership.signals_url is None:
            return
        pause_s = membership.pace.interval_s
        async with aclosing(self._orchestrator.signals(membership.signals_url, pause_s=pause_s)) as signals:
            async for signal in signals:
                if signal.get("event") == "released":
                    self._named |= {session_id} if (session_id := _text(signal, "session")) else frozenset()
                    self._due.set()


def _ended(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Return the tasks that have ended; raises what one has raised."""
    done = {task for task in tasks if task.done()}
    for task in done:
        task.result()
    return done


def _text(answer: dict[str, Any], key: str) -> str | None:
    """Return a text that can be sent and shown."""
    said = answer.get(key)
    return said if isinstance(said, str) and said and said.isascii() and said.isprintable() else None


def _session_ids(answer: dict[str, Any]) -> frozenset[str]:
    said = answer.get("session_ids")
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise CallError("bad_answer", "its answer has no list of session_ids")
    return frozenset(said)
