"""``Registration``: a container's part in a network, on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, TypeAlias

from byoc_kit.registration.byoc import ByocCapability
from byoc_kit.registration.live_runner import LiveRunner
from byoc_kit.registration.orchestrator import Orchestrator
from byoc_kit.registration.plan import Plan, Way
from byoc_kit.registration.report import Report
from byoc_kit.registration.streams import Streams
from byoc_kit.system.concurrency import LoopThread, on_thread
from byoc_kit.trickle.connection import client_session

logger = logging.getLogger(__name__)

LEAVE_S = 2.0
_LEAST_S = 0.1
_BEGIN_ANEW_S = 10.0


class Member(Protocol):
    """One of the contracts."""

    async def run(self) -> None:
        """Stay registered until cancelled."""
        ...

    def drain(self) -> None:
        """Take no further streams."""
        ...

    async def leave(self, timeout_s: float) -> None:
        """Unregister."""
        ...


MakeMember: TypeAlias = Callable[[Plan, Orchestrator, Streams, Report], Member]

_WAYS: dict[Way, MakeMember] = {Way.LIVE_RUNNER: LiveRunner, Way.BYOC: ByocCapability}


class Registration:
    """Joins the network when it is started and leaves it at the end.

    All of it runs on a thread with a loop of its own: the orchestrator forgets a Live Runner, and ends its sessions,
    20 s after the last heartbeat, whatever the container's loop is busy with. ``report`` may be read at any time.
    """

    def __init__(self, plan: Plan, *, make: MakeMember | None = None) -> None:
        self.plan = plan
        self.report = Report(plan)
        self._make = make or _WAYS[plan.way]
        self._thread: LoopThread | None = None
        self._member: Member | None = None
        self._leaving = asyncio.Event()
        self._leave_s = LEAVE_S

    def start(self, streams: Streams) -> None:
        """Begin to register. The model must be loaded: streams may come at once."""
        self._thread = LoopThread("registration", lambda: self._run(streams))

    def drain(self) -> None:
        """Ask for no further streams, at the beginning of the end."""
        if self._thread is not None:
            self._thread.call(self._drain)

    async def leave(self, *, within_s: float = LEAVE_S) -> None:
        """Unregister, and end the thread; who cannot be told in time forgets a Live Runner by itself."""
        if (thread := self._thread) is not None:
            self._leave_s = leave_s = max(within_s, _LEAST_S)
            thread.call(self._leaving.set)
            await on_thread(lambda: thread.join(leave_s), name="join-registration")

    def _drain(self) -> None:
        if self._member is not None:
            self._member.drain()

    async def _run(self, streams: Streams) -> None:
        async with client_session() as http:
            secrets = {self.plan.secret, self.plan.token or ""}
            orchestrator = Orchestrator(http, self.plan.orchestrator_url, secrets=secrets)
            self._member = member = self._make(self.plan, orchestrator, streams, self.report)
            staying = asyncio.create_task(self._stay(member), name="stay-registered")
            await self._leaving.wait()
            staying.cancel()
            await asyncio.wait([staying])
            await member.leave(self._leave_s)

    async def _stay(self, member: Member) -> None:
        while True:
            try:
                await member.run()
            except Exception:
                logger.exception("the registration has failed by a fault of byoc-kit; it begins anew")
                await asyncio.sleep(_BEGIN_ANEW_S)
