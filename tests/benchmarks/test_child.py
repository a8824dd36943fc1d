import asyncio
import sys

import pytest

from benchmarks.child import running
from byoc_kit.errors import ByocKitError

SLEEP = "import time; print('up', flush=True); time.sleep(60)"


def python(code):
    return [sys.executable, "-c", code]


async def test_a_child_ends_with_the_body(tmp_path):
    async with running("it", python(SLEEP), tmp_path / "log") as child:
        assert child.process.code is None
    assert child.process.code is not None


async def test_a_child_ends_when_the_body_is_cancelled(tmp_path):
    started = asyncio.get_running_loop().create_future()

    async def body():
        async with running("it", python(SLEEP), tmp_path / "log") as child:
            started.set_result(child)
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    child = await started
    task.cancel()
    await asyncio.wait([task])
    assert child.process.code is not None


async def test_what_the_kernel_counts_outlives_the_process(tmp_path):
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    async with running("it", python(busy), tmp_path / "log") as child:
        assert child.rss_mb() > 0
        await child.process.ended()
        assert child.cpu_s() >= 0.2
        assert child.rss_mb() == 0


async def test_an_early_end_shows_the_exit_code_and_the_last_lines(tmp_path):
    code = "import sys; [print('line', n) for n in range(50)]; sys.exit(3)"
    async with running("the model", python(code), tmp_path / "log") as child:
        with pytest.raises(ByocKitError) as failure:
            await child.must_live()
    text = str(failure.value)
    assert text.startswith("the model ended early (exit code 3); its last lines:\nline 40\n")
    assert text.endswith("line 49")


async def test_a_command_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ByocKitError, match="cannot start /none: No such file or directory"):
        async with running("it", ["/none"], tmp_path / "log"):
            pass
