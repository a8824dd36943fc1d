"""A process of the benchmark: its log, and what the kernel counts of it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from byoc_kit.errors import ByocKitError
from byoc_kit.system import processes
from byoc_kit.system.processes import Process

_STOP_GRACE_S = 3.0
_TAIL = 10
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Child:
    """A running process. Memory is in MB of 10^6 bytes, CPU time in seconds of all its threads."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    async def must_live(self) -> None:
        """Raise ``ByocKitError`` once the process has ended; until then, wait."""
        await self.process.ended()
        msg = "ended early"
        raise self.failure(msg)

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
        code = self.process.code
        end = "" if code is None else f" (exit code {code})"
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL:] or ["(none)"]
        return ByocKitError("\n".join([f"{self.name} {what}{end}; its last lines:", *lines]))

    def _status_mb(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB$", self._read("status"), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text()


@asynccontextmanager
async def running(name: str, command: list[str], log: Path, *, is_launched: bool = True) -> AsyncIterator[Child]:
    """Run a command, its output in the file ``log``, while the body runs; see ``byoc_kit.system.processes``."""
    async with processes.running(command, log, grace_s=_STOP_GRACE_S, is_launched=is_launched) as process:
        yield Child(name, process, log)
