import asyncio

import pytest

from benchmarks.measure import run_with
from byoc_kit.errors import ByocKitError

DEADLINE_S = 60


async def forever():
    await asyncio.Event().wait()


async def test_watchers_end_with_the_work():
    done = []

    async def work():
        done.append(True)

    async with asyncio.timeout(DEADLINE_S):
        await run_with(work(), forever(), forever())
    assert done == [True]


async def test_a_watcher_that_raises_ends_the_work():
    async def alarm():
        msg = "it is gone"
        raise ByocKitError(msg)

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ByocKitError, match="it is gone"):
            await run_with(forever(), forever(), alarm())


async def test_what_the_work_raises_is_raised():
    async def work():
        msg = "no stream"
        raise ByocKitError(msg)

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ByocKitError, match="no stream"):
            await run_with(work(), forever())
