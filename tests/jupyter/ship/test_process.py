import asyncio
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.ship import process
from byoc_kit.jupyter.ship.process import run
from byoc_kit.system.log_tail import Tail

DEADLINE_S = 20


def python(code):
    return [sys.executable, "-c", code]


class HeardTail(Tail):
    """A tail that can be waited for."""

    def __init__(self):
        super().__init__()
        self._heard = asyncio.Event()

    def feed(self, data):
        super().feed(data)
        self._heard.set()

    async def line(self, claim):
        """Wait until a line fulfils the claim."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := [line for line in self.lines if claim(line)]):
                self._heard.clear()
                await self._heard.wait()
        return found[0]


def is_there(pid):
    """Whether a process runs; a zombie, which waits for its parent alone, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], DEADLINE_S)[0], "it still runs"
    os.close(descriptor)


async def test_both_outputs_come_in_their_order_with_the_exit_code(tmp_path):
    tail = HeardTail()
    code = "import sys, os; print('one'); print('two', file=sys.stderr); print(os.getcwd()); sys.exit(3)"
    assert await run(python(code), tmp_path, tail) == 3
    assert tail.lines == ["one", "two", str(tmp_path)]


async def test_what_it_says_last_is_not_lost(tmp_path):
    tail = HeardTail()
    await run(python("import sys; sys.stdout.write('x' * 60000 + '\\nlast words')"), tmp_path, tail)
    assert tail.lines[-1] == "last words"


async def test_a_child_that_was_killed_says_by_which_signal(tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert await run(python(code), tmp_path, Tail()) == -signal.SIGKILL


async def test_much_output_does_not_stop_it(tmp_path):
    tail = HeardTail()
    assert await run(python("for i in range(30_000): print('line', i)"), tmp_path, tail) == 0
    assert tail.lines[-1] == "line 29999"
    assert len(tail.lines) == 12


async def test_it_can_read_nothing(tmp_path):
    tail = HeardTail()
    await run(python("import sys; print(repr(sys.stdin.read()))"), tmp_path, tail)
    assert tail.lines == ["''"]


async def test_cancelling_interrupts_it_as_ctrl_c_does(tmp_path):
    tail = HeardTail()
    code = r"""
import time
try:
    print("up")
    time.sleep(60)
except KeyboardInterrupt:
    print("\ntidied up")
"""
    task = asyncio.create_task(run(python(code), tmp_path, tail))
    await tail.line(lambda line: line.startswith("up"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tail.lines[-1] == "tidied up"


STUBBORN = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(os.getpid()); time.sleep(60)"


async def test_one_that_minds_no_interrupt_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "INTERRUPT_GRACE_S", 0.1)
    tail = HeardTail()
    task = asyncio.create_task(run(python(STUBBORN), tmp_path, tail))
    pid = await tail.line(str.isdigit)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_there(pid)


async def test_a_second_cancelling_kills_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "INTERRUPT_GRACE_S", 1e9)
    tail = HeardTail()
    task = asyncio.create_task(run(python(STUBBORN), tmp_path, tail))
    pid = await tail.line(str.isdigit)
    task.cancel()
    await asyncio.sleep(0)  # into its wait for the end
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_there(pid)


async def test_nothing_that_it_started_is_left(tmp_path):
    tail = HeardTail()
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid)"
    async with asyncio.timeout(DEADLINE_S):  # though what is left holds the output open
        assert await run(python(code), tmp_path, tail) == 0
    wait_until_gone(int(await tail.line(str.isdigit)))


async def test_no_descriptor_is_left(tmp_path):
    await run(python("print(1)"), tmp_path, Tail())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await run(python("print(1)"), tmp_path, Tail())
    assert len(os.listdir("/proc/self/fd")) == before


async def test_the_kernels_drawing_backend_is_not_handed_on(tmp_path, monkeypatch):
    code = "import os; print(os.environ.get('MPLBACKEND'))"
    for value, seen in (("module://matplotlib_inline.backend_inline", "None"), ("agg", "agg")):
        monkeypatch.setenv("MPLBACKEND", value)
        tail = HeardTail()
        await run(python(code), tmp_path, tail)
        assert tail.lines == [seen]


async def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(ByocKitError, match=r"cannot start .* in .*/gone: No such file or directory"):
        await run(python("print(1)"), tmp_path / "gone", Tail())
