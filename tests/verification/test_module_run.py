import fcntl
from dataclasses import replace

import pytest

from byoc_kit.verification.later_streams import Memory
from byoc_kit.verification.module_run import replay_module
from byoc_kit.verification.replay import Fault

pytestmark = pytest.mark.slow

PROCESS_FRAME = "def process_frame(frame):\n    return frame.pixels // 2"


@pytest.fixture
def run(export, make_task):
    """Run the module of an exported notebook of tagged sources, with its text changed before if that is asked for."""

    async def run(*sources, timeout_s=60, before=None):
        bundle = export(*sources)
        if before:
            before(bundle.folder)
        return await replay_module(bundle, make_task("module"), timeout_s=timeout_s)

    return run


def prepend(text):
    def change(folder):
        module = folder / "processor.py"
        module.write_text(text + module.read_text())

    return change


async def test_the_module_runs_with_what_is_locked_in_the_bundles_folder(run):
    replay = await run(
        "import os, sys\nimport numpy as np",
        "assert os.path.isfile('bundle.json')\nassert not any('site-packages' in path for path in sys.path)",
        PROCESS_FRAME,
    )
    assert replay.failure == ""
    assert len(replay.frames) == 10
    assert replay.pixels(0).shape == (48, 64, 3)


async def test_an_import_that_is_not_locked_fails_as_in_the_image(run):
    replay = await run(PROCESS_FRAME, before=prepend("import psutil\n"))
    assert replay.fault is Fault.LOAD
    assert replay.failure == (
        "processor.py, line 1: ModuleNotFoundError: No module named 'psutil'; requirements.lock brings none: "
        "export the notebook again"
    )


async def test_an_import_inside_a_hook_fails_at_its_frame(run):
    late = "def process_frame(frame):\n    __import__('psutil')\n    return frame"
    replay = await run(late)
    assert {frame.error for frame in replay.frames} == {
        "ModuleNotFoundError: No module named 'psutil' (effects.ipynb, cell 2, line 2)"
    }


async def test_a_cell_that_raises_on_import_is_named(run):
    replay = await run("one = 1\ntwo = one / 0", PROCESS_FRAME)
    assert replay.fault is Fault.LOAD
    assert replay.failure.startswith("effects.ipynb, cell 2, line 2: ZeroDivisionError")


async def test_another_version_than_is_locked_is_reported(run):
    def relock(folder):
        lock = folder / "requirements.lock"
        lock.write_text(lock.read_text().replace("numpy==2", "numpy==1"))

    replay = await run(PROCESS_FRAME, before=relock)
    assert replay.fault is Fault.LOCK
    assert replay.failure.startswith("numpy 1")
    assert replay.failure.endswith("is installed; export the notebook again")


async def test_a_lock_that_is_gone_is_reported(run):
    replay = await run(PROCESS_FRAME, before=lambda folder: (folder / "requirements.lock").unlink())
    assert replay.fault is Fault.LOCK
    assert "requirements.lock cannot be read" in replay.failure


async def test_a_module_that_hangs_is_given_up(run):
    replay = await run("import time\ntime.sleep(600)", PROCESS_FRAME, timeout_s=4)
    assert replay.failure == "was not through after 4 s; see --timeout"


async def test_an_interpreter_that_ends_shows_its_last_line(run):
    replay = await run("import os\nprint('last words', flush=True)\nos._exit(7)", PROCESS_FRAME)
    assert replay.failure == "exit code 7: last words"


LATER = """
import os
import time

starts = []


def on_stream_start(_):
    starts.append(1)


def process_frame(frame):
    if len(starts) > 1:
        AT_LATER
    return frame
"""


@pytest.fixture
def run_later(export, make_task):
    """Run a module of which a later stream does something else than the first."""

    async def run(does, *, before=None, timeout_s=60):
        bundle = export(LATER.replace("AT_LATER", does))
        if before:
            before(bundle.folder)
        return await replay_module(bundle, replace(make_task("module"), max_diff=0), timeout_s=timeout_s)

    return run


async def test_a_later_stream_that_hangs_takes_neither_the_first_ones_result_nor_the_clip(run_later, make_task):
    hurry = "from byoc_kit.verification import isolated\nisolated.LATER_STREAMS_S = 0.5\n"
    found = await run_later("time.sleep(600)", before=prepend(hurry))
    assert (found.failure, len(found.frames)) == ("", 10)
    assert found.memory == Memory("the second stream was not through within 0.5 s")
    with make_task().clip.open("rb") as clip:
        fcntl.flock(clip, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_time_limit_that_comes_in_a_later_stream_leaves_the_first_ones_result(run_later):
    found = await run_later("time.sleep(600)", timeout_s=15)
    assert (found.failure, len(found.frames)) == ("", 10)
    assert found.memory == Memory("the second stream: was not through after 15 s; see --timeout")


@pytest.mark.parametrize("code", [0, 7])
async def test_a_later_stream_that_ends_the_process_is_a_failure(run_later, code):
    found = await run_later(f"print('last words', flush=True), os._exit({code})")
    assert (found.failure, len(found.frames)) == ("", 10)
    assert found.memory == Memory(f"the second stream: exit code {code}: last words", is_failure=True)
