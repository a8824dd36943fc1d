import os
import select
import signal
import subprocess
import sys
from pathlib import Path

BUNDLE = Path(__file__).parents[3] / "export" / "green_tint"
DEADLINE_S = 60


def child(parent, *arguments):
    return [sys.executable, "-P", "-m", "byoc_kit.jupyter.ship.child", str(parent), *arguments]


def start(command, before="pass"):
    """Start a command from a process of its own that does ``before`` and prints the command's process id."""
    run = f"p = subprocess.Popen({command!r}); print(p.pid, flush=True); p.wait()"
    code = f"import os, signal, subprocess; {before}; {run}"
    code = code.replace("'PARENT'", "str(os.getpid())")
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return
    raise AssertionError("".join(lines))


def wait_for_end(descriptor):
    """Wait until a process has ended, whosever child it is."""
    assert select.select([descriptor], [], [], DEADLINE_S)[0], "it still runs"
    os.close(descriptor)


def test_it_runs_the_command_and_has_its_exit_code():
    done = subprocess.run(child(os.getpid(), "check", "nowhere.ipynb"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "byoc-kit: there is no notebook nowhere.ipynb; give the path of an .ipynb file\n",
    )


def test_it_does_not_begin_where_its_parent_is_gone():
    done = subprocess.run(child(1, "check", "--codes"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")


def test_it_ends_with_its_parent(free_port):
    parent = start(child("PARENT", "serve", str(BUNDLE), "--port", str(free_port)))
    descriptor = os.pidfd_open(int(parent.stdout.readline()))
    read_until(parent, "listening on")
    parent.kill()
    parent.wait()
    wait_for_end(descriptor)
    parent.stdout.close()


def test_it_can_be_interrupted_though_the_kernel_ignores_interrupts(free_port):
    ignoring = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    parent = start(child("PARENT", "serve", str(BUNDLE), "--port", str(free_port)), before=ignoring)
    pid = int(parent.stdout.readline())
    read_until(parent, "listening on")
    os.kill(pid, signal.SIGINT)
    read_until(parent, "stopping")
    parent.communicate(timeout=DEADLINE_S)
    assert parent.returncode == 0
