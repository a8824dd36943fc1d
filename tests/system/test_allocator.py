import os
import platform
import subprocess
import sys

import pytest

FRAMES = """
import ctypes, resource, threading
import numpy as np
from byoc_kit.system.allocator import keep_freed_frames

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


HEAPS = """
import re, threading
from pathlib import Path
from byoc_kit.system.allocator import bound_arenas
assert bound_arenas()
barrier = threading.Barrier(9)

def run():
    held = [bytes(100_000) for _ in range(10)]
    barrier.wait()
    barrier.wait()

threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads:
    thread.start()
barrier.wait()
maps = Path("/proc/self/maps").read_text()
barrier.wait()
# A heap of a thread is 64 MB of addresses at a multiple of that: a part that is in use, and the rest.
parts = [[int(address, 16) for address in line.split()[0].split("-")] for line in maps.splitlines()]
wholes = [(begin, end) for (begin, middle), (rest, end) in zip(parts, parts[1:]) if middle == rest]
print(sum(begin % (64 << 20) == 0 and end - begin == 64 << 20 for begin, end in wholes))
"""


@glibc
def test_threads_share_two_heaps():
    done = subprocess.run([sys.executable, "-c", HEAPS], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1  # the other one is the main heap


GIVEN_BACK = """
import numpy as np, psutil
from byoc_kit.system.allocator import give_back_freed, keep_freed_frames
assert keep_freed_frames()
frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(40)]
end = np.ones(1000, np.uint8)  # keeps the heap's end where it is
del frames
kept = psutil.Process().memory_info().rss
give_back_freed()
print((kept - psutil.Process().memory_info().rss) // 1_000_000)
"""


@glibc
def test_what_is_kept_can_be_given_back():
    done = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 80  # of 110 MB


@glibc
@pytest.mark.parametrize(
    ("function", "variable"), [("keep_freed_frames", "MALLOC_TRIM_THRESHOLD_"), ("bound_arenas", "MALLOC_ARENA_MAX")]
)
def test_what_the_environment_says_of_it_stays(function, variable):
    program = f"from byoc_kit.system.allocator import {function}\nprint({function}())"
    environment = {**os.environ, variable: "1000000"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
