"""The container under test: a bundle served here, its image, or one that runs somewhere already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from byoc_kit.errors import ByocKitError

T = TypeVar("T")

# go-livepeer's stop grace for a managed container.
STOP_GRACE_S = 8.0
_TAIL = 20


class Target:
    """Where the container answers; ``process`` is ``None`` for one that is not ours to end."""

    def __init__(self, url: str, process: asyncio.subprocess.Process | None = None) -> None:
        self.url = url
        self.exit_code: int | None = None
        self.stopped_in_s: float | None = None
        self.log: deque[str] = deque(maxlen=_TAIL)
        self._process = process

    async def outlives(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` does; raises :class:`ByocKitError`, with the log's end, if the process ends first."""
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._process.wait() if self._process else asyncio.Event().wait())
        try:
            await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
            if not working.done() and self._process is not None:
                tail = "\n".join(self.log)
                msg = f"the server ended with exit code {self._process.returncode}; its last lines:\n{tail}"
                raise ByocKitError(msg)
            return await working
        finally:
            for task in (working, ending):
                task.cancel()
            await asyncio.wait([working, ending])

    async def stop(self) -> None:
        """SIGTERM the process, as an orchestrator does, and kill it where it has not ended in ``STOP_GRACE_S``."""
        if self._process is None or self._process.returncode is not None:
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


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_command(bundle: os.PathLike[str], port: int) -> list[str]:
    """Return the command that serves a bundle here, as the container's own does."""
    return [sys.executable, "-m", "byoc_kit.cli", "serve", str(bundle), "--port", str(port)]


@contextlib.asynccontextmanager
async def running(command: list[str], port: int) -> AsyncIterator[Target]:
    """Run a serving command while the body runs, then stop it."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    target = Target(f"http://127.0.0.1:{port}", process)
    following = asyncio.create_task(_follow(process, target.log))
    try:
        yield target
    finally:
        await target.stop()
        await following


async def _follow(process: asyncio.subprocess.Process, log: deque[str]) -> None:
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    async for line in process.stdout:
        log.append(line.decode(errors="replace").rstrip())
