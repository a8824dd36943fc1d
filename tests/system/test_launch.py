import os
import select
import signal
import subprocess
import sys

import pytest

from byoc_kit.system import launch

DEADLINE_S = 60

PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
child.wait()
"""


def python(code):
    return [sys.executable, "-c", code]


def wait_until_gone(pid):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], DEADLINE_S)[0], "it still runs"
    os.close(descriptor)


def launched(parent, number, *command):
    return [sys.executable, "-I", "-S", launch.__file__, parent, str(int(number)), *command]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_is_launched_ends_with_its_parent(number):
    child = python("print('up', flush=True); import time; time.sleep(600)")
    start = PARENT.replace("sys.argv[1:]", "[str(os.getpid()) if word == 'PARENT' else word for word in sys.argv[1:]]")
    command = python(f"import os; {start.strip()}") + launched("PARENT", number, *child)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline().split()[0])
        parent.kill()
    wait_until_gone(pid)


def test_nothing_is_launched_where_the_parent_is_gone():
    done = subprocess.run(launched("1", signal.SIGINT, *python("print(1)")), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (130, b"")


def test_what_is_launched_can_be_interrupted_though_interrupts_are_ignored():
    ignoring = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = launched(
            str(os.getpid()), signal.SIGKILL, *python("import time; print('up', flush=True); time.sleep(600)")
        )
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
            assert it.stdout.readline() == b"up\n"
            it.send_signal(signal.SIGINT)
            _, said = it.communicate(timeout=DEADLINE_S)
    finally:
        signal.signal(signal.SIGINT, ignoring)
    assert b"KeyboardInterrupt" in said


def test_what_cannot_be_launched_is_reported(tmp_path):
    (tmp_path / "it").write_text("no program")
    (tmp_path / "it").chmod(0o755)
    command = launched(str(os.getpid()), signal.SIGKILL, str(tmp_path / "it"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, f"cannot start {tmp_path}/it: Exec format error\n")
