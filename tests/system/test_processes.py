import os
import select
import signal
import subprocess
import sys

import pytest

DEADLINE_S = 60

CHILD = """
import sys, time
from byoc_kit.system.processes import end_with_parent
end_with_parent({})
print("ready", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("asked", ["", "__import__('signal').SIGTERM"])
def test_a_child_ends_with_its_parent(asked):
    command = [sys.executable, "-c", PARENT, CHILD.format(asked)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        ended = os.pidfd_open(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait(DEADLINE_S)
    readable, _, _ = select.select([ended], [], [], DEADLINE_S)
    os.close(ended)
    assert readable
