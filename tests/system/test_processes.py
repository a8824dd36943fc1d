import asyncio
import os
import select
import signal
import sys
import tracemalloc
from pathlib import Path

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.system.processes import Tail, run_shown, running

DEADLINE_S = 60


def python(code):
    return [sys.executable, "-c", code]


async def run(command, folder, log, **options):
    """Run a command to its end, or interrupt it when this is cancelled."""
    async with running(
        command, log, folder=folder, ends_with=signal.SIGINT, **{"grace_s": DEADLINE_S, **options}
    ) as it:
        return await it.ended()


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


async def test_one_that_minds_no_interrupt_is_killed(tmp_path):
    tail = HeardTail()
    task = asyncio.create_task(run(python(STUBBORN), tmp_path, tail, grace_s=0.1))
    pid = await tail.line(str.isdigit)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_there(pid)


async def test_a_second_cancelling_kills_at_once(tmp_path):
    tail = HeardTail()
    task = asyncio.create_task(run(python(STUBBORN), tmp_path, tail, grace_s=1e9))
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


async def test_a_folder_that_is_gone_is_reported(tmp_path):
    with pytest.raises(ByocKitError, match=r"cannot start .* in .*/gone: No such file or directory"):
        await run(python("print(1)"), tmp_path / "gone", Tail())


async def test_a_command_that_is_not_there_is_reported():
    with pytest.raises(ByocKitError, match=r"cannot start /none: No such file or directory; check that it is there"):
        async with running(["/none"], Tail()):
            pass


async def test_a_file_takes_the_output(tmp_path):
    async with running(python("print('words')"), tmp_path / "log", grace_s=DEADLINE_S) as it:
        await it.ended()
    assert (tmp_path / "log").read_text() == "words\n"


async def test_the_code_is_there_before_and_after_it_is_reaped(tmp_path):
    async with running(python("import sys; sys.exit(3)"), Tail()) as it:
        assert await it.ended() == 3
        assert it.code == 3
        assert not is_there(it.pid)
    assert it.code == 3
    assert await it.ended() == 3


async def test_a_code_that_somebody_else_has_reaped_is_none_of_a_failure():
    async with running(python("pass"), Tail()) as it:
        await asyncio.to_thread(os.waitpid, it.pid, 0)
        assert await it.ended() == 0


async def test_what_the_kernel_counts_is_there_until_it_is_ended():
    async with running(python("pass"), Tail()) as it:
        await it.ended()
        assert Path(f"/proc/{it.pid}/stat").exists()
    assert not Path(f"/proc/{it.pid}/stat").exists()


async def test_it_ends_as_the_body_does():
    async with running(python("import time; time.sleep(600)"), Tail(), grace_s=DEADLINE_S) as it:
        assert it.code is None
    assert it.code == -signal.SIGTERM


async def test_without_a_grace_it_is_killed():
    async with running(python(STUBBORN.replace("SIGINT", "SIGTERM")), tail := HeardTail()) as it:
        await tail.line(str.isdigit)
    assert it.code == -signal.SIGKILL


async def test_sigterm_goes_to_the_process_alone():
    """Whoever has children ends them in order, as under ``docker stop``."""
    told = "signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True)); print('up', flush=True)"
    wait = "while True: signal.pause()"
    child = f"import signal; {told}\n{wait}"
    code = (
        f"import signal, subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\nsignal.pause()"
    )
    async with running(python(code), tail := HeardTail(), grace_s=DEADLINE_S) as it:
        await tail.line(lambda line: line == "up")
    assert it.code == 4
    assert tail.lines == ["up"]


def test_a_command_that_is_shown_is_heard_line_by_line():
    heard, log = [], Tail(1)
    code = "import sys; print('one'); print('zwei \\xe4', file=sys.stderr); sys.exit(3)"
    assert run_shown(python(code), log, heard.append) == 3
    assert sorted(heard) == ["one\n", "zwei ä\n"]
    assert len(log.lines) == 1


def fed(*pieces, lines=12):
    tail = Tail(lines)
    for piece in pieces:
        tail.feed(piece)
    return tail


def test_the_last_lines_are_kept_the_unfinished_one_among_them():
    assert fed(b"a\nb\nc\nd", lines=3).lines == ["b", "c", "d"]
    assert fed(b"a\nb\nc\n", lines=3).lines == ["a", "b", "c"]


def test_a_character_may_come_in_two_pieces():
    assert fed("gr\u00fcn".encode()[:3], "gr\u00fcn".encode()[3:]).lines == ["gr\u00fcn"]


def test_what_is_no_utf_8_is_replaced():
    assert fed(b"a\xffb\n").lines == ["a\ufffdb"]


def test_colours_titles_and_links_are_left_out():
    assert fed(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07and \x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\\n").lines == [
        "red and link"
    ]


def test_other_control_characters_are_written_out():
    assert fed(b"bell\x07\n").lines == ["bell\\x07"]


def test_a_progress_bar_shows_its_last_state():
    assert fed(b"10 %\r50 %\r", b"99 %\r").lines == ["99 %"]
    assert fed(b"10 %\r50 %\r\ndone\r\n").lines == ["50 %", "done"]


def test_a_long_line_is_cut():
    assert fed(b"x" * 1000 + b"\n").lines == ["x" * 300 + " ..."]


def test_memory_stays_bounded_whatever_comes():
    tail = Tail()
    chunk = b"y" * 65536
    tail.feed(chunk)
    tracemalloc.start()
    for _ in range(500):
        tail.feed(chunk)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 65536
    assert len(tail.lines) == 1


def test_the_commands_own_error_is_kept_though_much_follows():
    tail = fed(b"byoc-kit: there is no notebook x\n", b"more\n" * 50)
    assert tail.last == "there is no notebook x"


def test_an_error_that_tells_of_another_program_has_its_last_line():
    assert fed(b"byoc-kit: docker build ended; its last lines:\nStep 1\nno space left\n").last == (
        "docker build ended; its last lines: no space left"
    )


def test_without_an_error_of_its_own_the_last_line_counts_but_for_the_reports_place():
    assert fed(b"falls short: frames\nreport: reports/x/report.html\n\n").last == "falls short: frames"
    assert fed().last == ""
