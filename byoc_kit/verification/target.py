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
from byoc_kit.system.log_tail import Tail

T = TypeVar("T")

# go-livepeer's stop grace for a managed container.
STOP_GRACE_S = 8.0
_LINES = 20
_PIECE = 1 << 16
# The time from a connection's end to the end of the process, and to the last of its output.
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
        self, url: str, process: asyncio.subprocess.Process | None = None, *, called: str = "the container"
    ) -> None:
        self.url = url
        self.exit_code: int | None = None
        self.stopped_in_s: float | None = None
        self.log = Tail(_LINES)
        self._process = process
        self._called = called
        self._following = asyncio.create_task(_follow(process, self.log)) if process else None

    async def outlives(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``; raises ``BrokenOffError`` if the process ends first, by itself."""
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._process.wait() if self._process else asyncio.Event().wait())
        try:
            await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
            if working.done() and isinstance(working.exception(), BrokenOffError):
                await asyncio.wait(
                    [ending], timeout=_LAST_BREATH_S
                )  # perhaps it failed because the process is about to end
            is_well = working.done() and working.exception() is None
            if ending.done() and not is_well and self._process is not None:
                await self._read_all()
                self.exit_code = self._process.returncode
                msg = f"{self._called} {_ending(self._process.returncode or 0)}"
                raise BrokenOffError(msg)
            return await working
        finally:
            for task in (working, ending):
                task.cancel()
            await asyncio.wait([working, ending])

    async def stop(self) -> None:
        """SIGTERM the process, as an orchestrator does, and kill it if it has not ended in ``STOP_GRACE_S``."""
        if self._process is None or self._process.returncode is not None:
            await self._read_all()
            return
        started_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_GRACE_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self.exit_code = self._process.returncode
        self.stopped_in_s = time.monotonic() - started_s
        await self._read_all()

    async def _read_all(self) -> None:
        """Take the process's output, but not for long: a child that goes on running may hold the output open."""
        if self._following is None:
            return
        await asyncio.wait([self._following], timeout=_LAST_BREATH_S)
        self._following.cancel()


def serve_command(bundle: os.PathLike[str], port: int) -> list[str]:
    """Return the command that serves a bundle here, as the container's own does."""
    return [sys.executable, "-m", "byoc_kit.cli", "serve", str(bundle), "--port", str(port)]


@contextlib.asynccontextmanager
async def running(command: list[str], port: int, *, called: str = "the server") -> AsyncIterator[Target]:
    """Run a serving command while the body runs, then stop it; ``called`` is its name in messages."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    target = Target(f"http://127.0.0.1:{port}", process, called=called)
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


async def _follow(process: asyncio.subprocess.Process, log: Tail) -> None:
    assert process.stdout is not None  # noqa: S101  # it was started with a pipe
    while piece := await process.stdout.read(_PIECE):
        log.feed(piece)
