import asyncio
import threading
from contextvars import ContextVar

import pytest
import torch

from byoc_kit.errors import ByocKitError
from byoc_kit.system.concurrency import LoopThread, OwnThread, background, call_on_thread, on_thread

DEADLINE_S = 20
place = ContextVar("place", default="nowhere")


def raising(error):
    def function():
        raise error

    return function


async def test_work_during_a_body_is_cancelled_and_awaited_at_its_end():
    is_over = []

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            is_over.append(True)

    begun = asyncio.Event()
    async with background(work(), name="work"):
        await begun.wait()
    assert is_over == [True]


async def test_an_exception_of_work_is_raised_when_the_body_is_left():
    async def work():
        begun.set()
        raise ValueError("broken")

    begun = asyncio.Event()
    with pytest.raises(ValueError, match="broken"):
        async with background(work(), name="work"):
            await begun.wait()


async def test_a_function_runs_on_a_daemon_thread_of_that_name():
    thread = await on_thread(threading.current_thread, name="mine")
    assert (thread.name, thread.daemon) == ("mine", True)
    assert thread is not threading.current_thread()


async def test_an_exception_of_a_thread_is_raised_where_it_is_awaited():
    with pytest.raises(KeyError):
        await on_thread(raising(KeyError("x")), name="x")


@pytest.mark.parametrize(
    ("error", "said"),
    [(SystemExit(3), "SystemExit: 3"), (StopIteration(), "StopIteration"), (KeyboardInterrupt(), "KeyboardInterrupt")],
)
async def test_what_would_end_the_loop_is_an_ordinary_error(error, said):
    with pytest.raises(ByocKitError) as caught:
        await on_thread(raising(error), name="x")
    assert str(caught.value) == said
    assert caught.value.__cause__ is error


async def test_who_no_longer_awaits_a_thread_is_left_alone_by_it():
    may_end = threading.Event()
    waiting = asyncio.create_task(on_thread(may_end.wait, name="slow"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_end.set()
    assert await on_thread(lambda: "next", name="x") == "next"


async def test_an_own_thread_runs_functions_in_order_on_one_thread():
    order = []
    with OwnThread("own") as own:
        threads = await asyncio.gather(
            *(own.run(lambda n=n: order.append(n) or threading.get_ident()) for n in range(5))
        )
        assert own.call(threading.get_ident) == threads[0]
    assert order == [0, 1, 2, 3, 4]
    assert len(set(threads)) == 1


def test_an_own_thread_ends_with_its_owner():
    own = OwnThread("own")
    thread = own.call(threading.current_thread)
    del own
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_a_call_sees_the_context_of_its_caller():
    place.set("here")
    assert call_on_thread(place.get, name="x") == "here"


def test_a_call_raises_what_its_function_does():
    with pytest.raises(SystemExit):
        call_on_thread(raising(SystemExit(2)), name="x")
    with pytest.raises(ByocKitError, match="StopIteration"):
        call_on_thread(raising(StopIteration()), name="x")


@pytest.fixture
def loop():
    with LoopThread("a loop") as it:
        yield it
    it.join(DEADLINE_S)


async def thread_name():
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_loops_thread(loop):
    assert loop.run(thread_name()) == "a loop"


def test_a_coroutine_sees_what_the_caller_sees(loop):
    async def look():
        return place.get()

    place.set("here")
    assert loop.run(look()) == "here"


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("no"), ValueError), (SystemExit(3), ByocKitError), (KeyboardInterrupt(), ByocKitError)],
)
def test_a_coroutine_that_raises_does_not_end_the_loop(loop, error, raised):
    async def fail():
        raise error

    with pytest.raises(raised):
        loop.run(fail())
    assert loop.run(thread_name()) == "a loop"


def test_a_loop_that_is_closed_cancels_what_runs_there():
    is_over = []

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_over.append(True)

    begun = threading.Event()
    with LoopThread("a loop") as loop:
        begins = loop.begin(work())
        assert begun.wait(DEADLINE_S)
    loop.join(DEADLINE_S)
    assert (begins.cancelled(), is_over) == (True, [True])


def test_a_loop_ends_with_its_main():
    ended, started = [], threading.Event()

    async def main():
        started.set()
        await stopped.wait()
        ended.append(threading.current_thread().name)

    stopped = asyncio.Event()
    loop = LoopThread("a loop", main)
    assert started.wait(DEADLINE_S)
    loop.call(stopped.set)
    loop.join(DEADLINE_S)
    assert ended == ["a loop"]
    loop.call(ended.clear)  # nobody is there to call it
    assert ended == ["a loop"]


def test_a_loop_runs_within_a_context():
    with LoopThread("a loop", within=torch.inference_mode) as loop:

        async def is_inference():
            return torch.is_inference_mode_enabled()

        assert loop.run(is_inference())
    loop.join(DEADLINE_S)
