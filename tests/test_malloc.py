import os
import platform
import subprocess
import sys

import pytest

FRAMES = """
import ctypes, resource, threading
import numpy as np
from byoc_kit.malloc import keep_freed_frames

PR_SET_THP_DISABLE = 41  # with huge pages there would be few faults, whoever keeps what
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
if {keeps}:
    assert keep_freed_frames()

def faults():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt

def run():
    for number in range(60):
        if number == 20:
            before = faults()
        frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(3)]
        del frames
    print(faults() - before)

thread = threading.Thread(target=run)
thread.start()
thread.join()
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told")


def page_faults(*, keeps):
    """Return the page faults of forty times three frames of 720p, 675 pages each."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    program = [sys.executable, "-c", FRAMES.format(keeps=keeps)]
    done = subprocess.run(program, env=unset, capture_output=True, text=True, check=True)
    return int(done.stdout)


@glibc
def test_the_memory_of_frames_is_kept_for_the_next():
    assert page_faults(keeps=False) > 40 * 600
    assert page_faults(keeps=True) < 675


@glibc
def test_what_the_environment_says_of_it_stays():
    program = "from byoc_kit.malloc import keep_freed_frames\nprint(keep_freed_frames())"
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "1000000"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
