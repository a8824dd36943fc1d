"""Runs a command in a process group of its own, with its log, and ends or cancels it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from byoc_kit.errors import ByocKitError
from byoc_kit.system.log_tail import Tail

# A server first sends the rest of its streams; go-livepeer itself waits 8 s.
INTERRUPT_GRACE_S = 10.0

_CHUNK = 1 << 16
_MOST_CHUNKS_AT_END = 32  # a pipe holds 1 MiB at most


async def run(command: Sequence[str], folder: Path, tail: Tail) -> int:
    """Run a command in ``folder``, stdout and stderr going to ``tail``; returns its exit code, or minus its signal.

    When cancelled, it interrupts the group as Ctrl-C does, and kills it if that does not end it. A second cancellation
    kills the group at once. No process of the group is left in any case. Raises ``ByocKitError`` if the command cannot
    be started.
    """
    process = _start(command, folder)
    assert process.stdout is not None  # noqa: S101  # it was started with a pipe
    output = process.stdout.fileno()
    os.set_blocking(output, False)
    loop = asyncio.get_running_loop()
    loop.add_reader(output, lambda: _read(output, tail) or loop.remove_reader(output))
    try:
        await _ended(process.pid)
    except asyncio.CancelledError:
        _signal_group(process.pid, signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(_ended(process.pid), INTERRUPT_GRACE_S)
        raise
    finally:
        _signal_group(process.pid, signal.SIGKILL)  # before it is reaped: until then no other process gets its number
        process.wait()
        loop.remove_reader(output)
        with suppress(BlockingIOError):
            for _ in range(_MOST_CHUNKS_AT_END):
                if not _take(output, tail):
                    break
        process.stdout.close()
    return process.returncode


def _start(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        msg = f"cannot start {command[0]} in {folder}: {os.strerror(error.errno or 0)}; see that both are there"
        raise ByocKitError(msg) from error


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the kernel's environment as in a terminal: matplotlib's inline backend works only in a kernel."""
    inherited = {
        name: value for name, value in own.items() if name != "MPLBACKEND" or not value.startswith("module://")
    }
    return {**inherited, "PYTHONUNBUFFERED": "1"}


async def _ended(pid: int) -> None:
    """Return once a child has ended, without reaping it."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # another os.wait() reaped it
        os.killpg(leader, number)


def _read(output: int, tail: Tail) -> bool:
    """Take the output so far; ``False`` at its end."""
    try:
        return _take(output, tail)
    except BlockingIOError:
        return True


def _take(output: int, tail: Tail) -> bool:
    data = os.read(output, _CHUNK)
    tail.feed(data)
    return bool(data)
