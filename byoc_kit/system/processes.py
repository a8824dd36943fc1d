"""Starts child processes, keeps the last lines of their output, and ends them with all processes they started."""

from __future__ import annotations

import asyncio
import codecs
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

from byoc_kit.errors import ByocKitError, printable
from byoc_kit.system import launch

LINES = 12

_WIDEST = 300
_LONGEST_UNFINISHED = 4096
# ECMA-48: CSI sequences such as colours, OSC strings such as titles and links, and two-byte escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_ERROR = "byoc-kit: "
_CHUNK = 1 << 16
_MOST_CHUNKS_AT_END = 32  # a pipe holds 1 MiB at most


class Tail:
    """Keeps the last lines of a process's output, without colours and other escapes."""

    def __init__(self, lines: int = LINES) -> None:
        self.error = ""
        self._lines: deque[str] = deque(maxlen=lines)
        self._unfinished = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> None:
        """Add the next bytes of output; they may end anywhere."""
        *finished, self._unfinished = (self._unfinished + self._decoder.decode(data)).split("\n")
        self._unfinished = self._unfinished[-_LONGEST_UNFINISHED:]
        for line in reversed(finished):
            if line.startswith(_ERROR):
                self.error = _clean(line.removeprefix(_ERROR))
                break
        self._lines.extend(map(_clean, finished[-(self._lines.maxlen or 0) :]))

    @property
    def lines(self) -> list[str]:
        """The last lines, with an unfinished one."""
        unfinished = _clean(self._unfinished)
        return [*self._lines, *([unfinished] if unfinished else [])][-(self._lines.maxlen or 0) :]

    @property
    def last(self) -> str:
        """What the command says of its failure: its last byoc-kit error, or its last line that is not a report's."""
        said = [line.strip() for line in self.lines if line.strip() and not line.startswith("report: ")]
        if self.error and not self.error.endswith(":"):
            return self.error
        return " ".join([self.error, *said[-1:]]).strip()  # after a colon, another program's output follows


def _clean(line: str) -> str:
    """Return a line as a terminal shows it: a carriage return begins it again, as in progress bars."""
    seen = _ESCAPES.sub("", line[-_LONGEST_UNFINISHED:]).rstrip("\r").rpartition("\r")[2]
    return printable(seen if len(seen) <= _WIDEST else f"{seen[:_WIDEST]} ...").rstrip()


class Process:
    """A running command, which leads a process group of its own. ``running`` makes it."""

    def __init__(
        self, popen: subprocess.Popen[bytes], log: Tail | None, *, ends_with: signal.Signals, grace_s: float
    ) -> None:
        self.pid = popen.pid
        self._popen = popen
        self._ends_with, self._grace_s = ends_with, grace_s
        self._is_over = False
        self._output = _Output(popen, log) if log is not None else None

    @property
    def code(self) -> int | None:
        """The exit code, or minus the signal that ended it; ``None`` while it runs."""
        if self._popen.returncode is not None:
            return self._popen.returncode
        # WNOWAIT leaves it unreaped: no other process can get its number, and the system keeps its CPU times.
        try:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # another os.wait() reaped it
            return self._popen.wait()
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    async def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        while (code := self.code) is None:
            descriptor = os.pidfd_open(self.pid)
            loop.add_reader(descriptor, event.set)
            try:
                await event.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
        return code

    async def end(self) -> None:
        """Send it ``ends_with``, and kill it if it has not ended after ``grace_s``, or if this is cancelled.

        SIGINT goes to the whole group, as with Ctrl-C. Other signals go to the process alone, as with ``docker stop``.
        At the end, all other processes of the group are killed.
        """
        if self._is_over:
            return
        try:
            if self.code is None:
                self._signal(self._ends_with)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.ended(), self._grace_s)
        finally:
            with suppress(ProcessLookupError):  # another os.wait() reaped it
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
            self._is_over = True
            if self._output is not None:
                self._output.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            (os.killpg if number == signal.SIGINT else os.kill)(self.pid, number)


class _Output:
    """Feeds a process's output to a log, on the running loop."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Tail) -> None:
        assert popen.stdout is not None  # noqa: S101  # it was started with a pipe
        self._pipe = popen.stdout
        self._log = log
        self._loop = asyncio.get_running_loop()
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe.fileno(), self._read)

    def close(self) -> None:
        """Take the rest of the output, without waiting for other processes that still hold the pipe."""
        self._loop.remove_reader(self._pipe.fileno())
        with suppress(BlockingIOError):
            for _ in range(_MOST_CHUNKS_AT_END):
                if not self._take():
                    break
        self._pipe.close()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            if not self._take():
                self._loop.remove_reader(self._pipe.fileno())

    def _take(self) -> bool:
        """Take the next output; ``False`` at its end."""
        data = os.read(self._pipe.fileno(), _CHUNK)
        self._log.feed(data)
        return bool(data)


@asynccontextmanager
async def running(
    command: Sequence[str],
    log: Tail | Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    ends_with: signal.Signals = signal.SIGTERM,
    grace_s: float = 0,
    is_launched: bool = True,
) -> AsyncIterator[Process]:
    """Run a command while the body runs, and then end it, as ``Process.end`` does.

    The command has no input. Its stdout and stderr go to ``log``, a tail or a file. It also gets the signal
    ``ends_with`` when this process ends, or the thread that calls this. ``is_launched=False`` leaves that out, and
    saves the 20 ms of CPU time of ``launch.py``. Raises ``ByocKitError`` if the command cannot be started.
    """
    popen = _start(command, log, folder, environment, ends_with if is_launched else None)
    process = Process(popen, None if isinstance(log, Path) else log, ends_with=ends_with, grace_s=grace_s)
    try:
        yield process
    finally:
        await process.end()


def _start(
    command: Sequence[str],
    log: Tail | Path,
    folder: Path | None,
    environment: Mapping[str, str] | None,
    at_parents_end: signal.Signals | None,
) -> subprocess.Popen[bytes]:
    started = list(command)
    if at_parents_end is not None:
        # With -S it starts faster, without site-packages; with -I, no file of the folder can replace a module.
        parent, number = str(os.getpid()), str(int(at_parents_end))
        started = [sys.executable, "-I", "-S", launch.__file__, parent, number, *command]
    try:
        _require(command[0], (environment or os.environ).get("PATH"))
        with log.open("wb") if isinstance(log, Path) else nullcontext(subprocess.PIPE) as output:
            return subprocess.Popen(
                started,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        where, advice = (f" in {folder}", "both are") if folder is not None else ("", "it is")
        msg = f"cannot start {command[0]}{where}: {os.strerror(error.errno or 0)}; check that {advice} there"
        raise ByocKitError(msg) from error


def _require(program: str, path: str | None) -> None:
    if shutil.which(program, path=path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def run_shown(command: Sequence[str], log: Tail, hear: Callable[[str], None]) -> int:
    """Run a command to its end, pass each line of its output to ``hear``, and return its exit code. Blocks.

    The command stays in this process's group: Ctrl-C in the terminal reaches it, and it can ask questions there.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as popen:
        assert popen.stdout is not None  # noqa: S101  # it was started with a pipe
        for line in popen.stdout:
            log.feed(line.encode())
            hear(line)
    return popen.returncode
