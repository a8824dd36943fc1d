"""A process of the benchmark: its log, what the kernel counts of it, and its end."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from byoc_kit.errors import ByocKitError

_STOP_GRACE_S = 3.0
_TAIL = 10
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Child:
    """A running process. Memory is in MB of 10^6 bytes, CPU time in seconds of all its threads."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    async def ended(self) -> None:
        """Return once the process has ended. It is not reaped, so that the kernel still has its times."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        try:
            descriptor = os.pidfd_open(self.process.pid)
        except ProcessLookupError:
            return
        loop.add_reader(descriptor, event.set)
        try:
            await event.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def must_live(self) -> None:
        """Raise ``ByocKitError`` once the process has ended; until then, wait."""
        await self.ended()
        raise self.failure("ended early")

    def cpu_s(self) -> float:
        """Return the CPU time so far, user and system."""
        # After the name, which may hold spaces and brackets: proc(5) has utime and stime as fields 14 and 15.
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def rss_mb(self) -> float:
        """Return the resident memory, 0 for a process that has ended."""
        return self._status_mb("VmRSS")

    def peak_rss_mb(self) -> float:
        """Return the most resident memory so far, 0 for a process that has ended."""
        return self._status_mb("VmHWM")

    def threads(self) -> int:
        """Return how many threads there are, native ones too."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/task").iterdir())

    def failure(self, what: str) -> ByocKitError:
        """Return the error that says what the process did not do, with the end of its log."""
        code = self.process.poll()
        end = "" if code is None else f" (exit code {code})"
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL:] or ["(none)"]
        return ByocKitError("\n".join([f"{self.name} {what}{end}; its last lines:", *lines]))

    def _status_mb(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB$", self._read("status"), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text()


@asynccontextmanager
async def running(name: str, command: list[str], log: Path) -> AsyncIterator[Child]:
    """Run a command, its output in the file ``log``, while the body runs; it is ended in every case."""
    process = _start(name, command, log)
    child = Child(name, process, log)
    try:
        yield child
    finally:
        process.terminate()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(child.ended(), _STOP_GRACE_S)
        finally:
            process.kill()
            process.wait()


def _start(name: str, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as output:
            # Of its own group, so that Ctrl-C ends it from here, in order, and not all at once.
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, process_group=0)
    except OSError as error:
        msg = f"{name} cannot start: {command[0]}: {os.strerror(error.errno or 0)}"
        raise ByocKitError(msg) from error
