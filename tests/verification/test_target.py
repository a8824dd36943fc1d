import asyncio
import signal
import sys

import pytest

from byoc_kit.verification.target import STOP_GRACE_S, BrokenOffError, Target, Where, running

WAITS = "import time; print('ready', flush=True); time.sleep(600)"


def python(code):
    return running([sys.executable, "-c", code], 9)


async def test_work_that_ends_first_gives_its_result():
    async with python(WAITS) as target:
        assert target.url == "http://127.0.0.1:9"
        assert await target.outlives(asyncio.sleep(0, "done")) == "done"
        await target.stop()
        assert target.exit_code == -signal.SIGTERM
        assert target.stopped_in_s < STOP_GRACE_S


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "the server ended with exit code 3"),
        ("raise SystemExit(137)", "the server ended with exit code 137, which is SIGKILL"),
        ("import os; os.kill(os.getpid(), 9)", "the server was killed by SIGKILL"),
    ],
)
async def test_a_process_that_ends_first_is_said_with_its_last_lines(code, said):
    async with python(f"print('last words', flush=True); {code}") as target:
        with pytest.raises(BrokenOffError) as raised:
            await target.outlives(asyncio.Event().wait())
        assert str(raised.value) == said
        assert target.log.lines == ["last words"]
        await target.stop()
        assert target.stopped_in_s is None  # nobody stopped it


async def test_an_error_of_the_work_comes_through():
    async def fail():
        raise LookupError("no stream")

    async with python(WAITS) as target:
        with pytest.raises(LookupError, match="no stream"):
            await target.outlives(fail())


async def test_a_container_that_runs_already_is_left_alone():
    target = Target("http://elsewhere:8000")
    assert await target.outlives(asyncio.sleep(0, "done")) == "done"
    await target.stop()
    assert (target.exit_code, target.stopped_in_s) == (None, None)


def test_where_the_container_is_says_who_runs_it():
    kinds = {(where.kind, where.is_ours) for where in (Where(), Where(image=""), Where(url="http://elsewhere"))}
    assert kinds == {("server", True), ("container", True), ("container", False)}


async def test_what_is_tested_never_joins_the_network(monkeypatch):
    monkeypatch.setenv("BYOC_KIT_REGISTER_AS", "byoc")
    monkeypatch.setenv("BYOC_KIT_CRF", "30")
    code = "import os; print(sorted(name for name in os.environ if name in ('BYOC_KIT_CRF', 'BYOC_KIT_REGISTER_AS')))"
    async with python(code) as target:
        with pytest.raises(BrokenOffError):
            await target.outlives(asyncio.sleep(60))
        assert target.log.lines == ["['BYOC_KIT_CRF']"]
