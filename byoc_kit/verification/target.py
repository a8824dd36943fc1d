"""The container under test: a bundle served here, its image, or a container that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from byoc_kit.errors import ByocKitError
from byoc_kit.server.settings import REGISTER_AS
from byoc_kit.system import processes
from byoc_kit.system.processes import Process, Tail

T = TypeVar("T")

# go-livepeer's stop grace for a managed container.
STOP_GRACE_S = 8.0
_LINES = 20
# The time from a connection's end to the end of the process.
_LAST_BREATH_S = 2.0
# Shells and Docker report 128 plus the number of the signal that killed a process.
_SIGNALLED = 128


@dataclass(frozen=True)
class Where:
    """Where the container is: served here by default, or an ``image`` ("" for the bundle's own), or at a ``url``.

    ``gpus`` is passed to Docker when it runs an image.
    """

    image: str | None = None
    url: str | None = None
    gpus: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether this command serves the bundle."""
        return self.image is None and self.url is None

    @property
    def is_ours(self) -> bool:
        """Whether this command starts and ends the container."""
        return self.url is None

    @property
    def kind(self) -> str:
        """One word for it: ``server`` or ``container``."""
        return "server" if self.is_here else "container"


class BrokenOffError(ByocKitError):
    """The container did not start, or ended too early."""


class Target:
    """Where the container answers; ``process`` is ``None`` if this command did not start it."""

    def __init__(
        self, url: str, process: Process | None = None, log: Tail | None = None, *, called: str = "the container"
    ) -> None:
        self.url = url
        self.exit_code: int | None = None
        self.stopped_in_s: float | None = None
        self.log = log or Tail()
        self._process = process
        self._called = called

    async def outlives(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``; raises ``BrokenOffError`` if the process ends first, by itself."""
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._process.ended() if self._process else asyncio.Event().wait())
        try:
            await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
            if working.done() and isinstance(working.exception(), BrokenOffError):
                await asyncio.wait(
                    [ending], timeout=_LAST_BREATH_S
                )  # perhaps it failed because the process is about to end
            is_well = working.done() and working.exception() is None
            if ending.done() and not is_well and self._process is not None:
                await self._process.end()  # and take the rest of its output
                self.exit_code = ending.result()
                msg = f"{self._called} {_ending(self.exit_code)}"
                raise BrokenOffError(msg)
            return await working
        finally:
            for task in (working, ending):
                task.cancel()
            await asyncio.wait([working, ending])

    async def stop(self) -> None:
        """SIGTERM the process, as an orchestrator does, and kill it if it has not ended in ``STOP_GRACE_S``."""
        if self._process is None:
            return
        has_ended, started_s = self._process.code is not None, time.monotonic()
        await self._process.end()
        if not has_ended:
            self.exit_code = self._process.code
            self.stopped_in_s = time.monotonic() - started_s


def serve_command(bundle: os.PathLike[str], port: int) -> list[str]:
    """Return the command that serves a bundle here, as the container's own does."""
    return [sys.executable, "-m", "byoc_kit.cli", "serve", str(bundle), "--port", str(port)]


@contextlib.asynccontextmanager
async def running(command: list[str], port: int, *, called: str = "the server") -> AsyncIterator[Target]:
    """Run a serving command while the body runs, then stop it; ``called`` is its name in messages.

    It never joins the network, whatever the environment says: it is there to be tested.
    """
    log = Tail(_LINES)
    environment = {name: value for name, value in os.environ.items() if name != REGISTER_AS}
    async with processes.running(command, log, environment=environment, grace_s=STOP_GRACE_S) as process:
        target = Target(f"http://127.0.0.1:{port}", process, log, called=called)
        try:
            yield target
        finally:
            await target.stop()


def _ending(code: int) -> str:
    """Say how a process ended."""
    number = -code if code < 0 else code - _SIGNALLED
    name = signal.Signals(number).name if number in set(signal.Signals) else ""
    if code < 0:
        return f"was killed by {name or f'signal {number}'}"
    return f"ended with exit code {code}" + (f", which is {name}" if name else "")
