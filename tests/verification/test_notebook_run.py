import asyncio
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY
from server_rig import until

from byoc_kit.verification.notebook_run import replay_notebook
from byoc_kit.verification.replay import Fault

pytestmark = pytest.mark.slow

PROCESS_FRAME = "def process_frame(frame):\n    return frame.pixels // 2"


@pytest.fixture
def run(make_task, tmp_path, write_notebook):
    """Run a notebook of untagged sources, and its hooks over the small clip."""

    async def run(*sources, timeout_s=60, kinds=None):
        path = write_notebook(cells=list(zip(kinds or [""] * len(sources), sources, strict=True)))
        return await replay_notebook(path, make_task("notebook"), timeout_s=timeout_s)

    return run


async def test_the_whole_notebook_runs_in_its_folder_and_then_its_hooks(run, tmp_path):
    (tmp_path / "half.txt").write_text("2")
    replay = await run(
        PROCESS_FRAME,
        "# nothing but words",
        "import pathlib\nhalf = int(pathlib.Path('half.txt').read_text())",
        "def process_frame(frame):\n    return frame.pixels // half // started",
        "def on_stream_start(params):\n    global started\n    started = 2",
        kinds=["byoc", "markdown", "", "byoc", ""],
    )
    assert replay.failure == ""
    assert [frame.outcome for frame in replay.frames] == ["made"] * 10
    assert replay.pixels(9).max() <= 64


async def test_a_preview_does_not_move_what_a_hook_remembers(run, small_clip):
    replay = await run(
        "seen = 0\ndef process_frame(frame):\n    global seen\n    seen += 1\n    return frame.pixels * 0 + seen",
        f"from byoc_kit import preview\nshown = preview(process_frame, source={str(small_clip)!r})\nshown",
        "import byoc_kit.jupyter.preview as module\nassert shown.stats().frames_in == 0",
        f"module.preview(process_frame, {str(small_clip)!r}, width=20)",
    )
    assert replay.failure == ""
    assert replay.pixels(0).max() == 1


async def test_a_still_preview_takes_what_any_takes(run, small_clip):
    taken = f"shown = preview(process_frame, {str(small_clip)!r}, size=(32, None), fps=12, compare=process_frame)"
    replay = await run(
        PROCESS_FRAME,
        f"from byoc_kit import preview\n{taken}",
        "assert ' scaled to 32x' in shown.table() and ', 12 fps' in shown.table()",
        f"preview(process_frame, {str(small_clip)!r}, fps=0)",
    )
    assert replay.failure == "effects.ipynb, cell 4, line 1: ByocKitError: fps must be a number above 0, not 0"


async def test_a_preview_of_a_live_source_keeps_no_notebook_from_being_verified(run):
    replay = await run(
        PROCESS_FRAME,
        "from byoc_kit import preview\nshown = preview(process_frame, source='webcam')",
        "assert 'bars, ' in shown.table()",
    )
    assert replay.failure == ""


async def test_a_cell_that_raises_is_named_with_its_line(run):
    failed = await run(
        "# words", "one = 1", "def ask():\n    raise KeyError('no')", "ask()", kinds=["markdown", "", "", ""]
    )
    assert (failed.fault, failed.failure) == (Fault.LOAD, "effects.ipynb, cell 3, line 2: KeyError: 'no'")
    assert failed.frames == ()


async def test_a_cell_that_does_not_parse_is_named(run):
    failure = (await run("one = 1", "two =")).failure
    assert failure.startswith("effects.ipynb, cell 2, line 1: SyntaxError: invalid syntax")
    assert "\n" not in failure


async def test_a_cell_that_hangs_is_named_and_what_it_started_is_ended(run, tmp_path, monkeypatch):
    pid_file, timeouts, timeout = tmp_path / "pid", [], asyncio.timeout

    def over_once_it_hangs(after_s):
        timeouts.append(timeout(after_s if timeouts else None))  # the first is that of the notebook
        return timeouts[-1]

    async def wait_for_child():
        try:
            await until(pid_file.exists, "the cell has started its child")
        finally:
            timeouts[0].reschedule(asyncio.get_running_loop().time())

    monkeypatch.setattr(asyncio, "timeout", over_once_it_hangs)
    starts = "import pathlib, subprocess, time\nchild = subprocess.Popen(['sleep', '600'])"
    notes = f"pathlib.Path({str(pid_file)!r} + '.new').write_text(str(child.pid))"
    shows = f"pathlib.Path({str(pid_file)!r} + '.new').rename({str(pid_file)!r})"
    waiting = asyncio.create_task(wait_for_child())
    replay = await run("one = 1", f"{starts}\n{notes}\n{shows}\ntime.sleep(600)")
    await waiting
    assert replay.failure == "effects.ipynb, cell 2 was not through after 60 s; see --timeout"
    assert has_ended(pid_file.read_text())


def has_ended(pid):
    """Whether a process is gone, or waits for its parent to take note."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def test_a_kernel_that_dies_is_reported(run):
    replay = await run("one = 1", "import os\nos._exit(7)")
    assert replay.failure == "effects.ipynb, cell 2 ended the kernel, exit code 7"


async def test_input_is_not_waited_for(run):
    assert "StdinNotImplementedError" in (await run("input()")).failure


async def test_a_notebook_without_process_frame_is_reported(run):
    assert (await run(CAPABILITY)).failure == "effects.ipynb defines no process_frame"


async def test_an_exception_of_a_hook_is_placed_in_its_cell(run):
    replay = await run(
        "one = 1",
        "def check(frame):\n    if frame.pts > 91_000:\n        raise ValueError('late')",
        "def process_frame(frame):\n    check(frame)\n    return frame",
    )
    assert {frame.error for frame in replay.frames} == {"", "ValueError: late (effects.ipynb, cell 2, line 3)"}


async def test_a_wrong_result_is_placed_at_its_return(run):
    replay = await run("one = 1", "def process_frame(frame):\n    done = frame.pixels / 255\n    return done")
    assert replay.frames[0].error.startswith("FrameError: pixels must be uint8 [H, W, 3], not float64")
    assert replay.frames[0].error.endswith("(effects.ipynb, cell 2, line 3)")


async def test_a_notebook_that_is_gone_is_reported(make_task, tmp_path):
    replay = await replay_notebook(tmp_path / "gone.ipynb", make_task(), timeout_s=5)
    assert replay.failure.startswith("there is no notebook")


async def test_a_value_that_cannot_be_shown_is_reported_as_what_it_raises(run):
    replay = await run(
        PROCESS_FRAME, "class Odd:\n    def __repr__(self):\n        raise ValueError('not that')\nOdd()"
    )
    assert replay.fault is Fault.LOAD
    assert replay.failure == "effects.ipynb, cell 2, line 3: ValueError: not that"
