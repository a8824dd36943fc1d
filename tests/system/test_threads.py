import asyncio
import threading
from contextvars import ContextVar

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.system.threads import OwnThread, background, call_on_thread, on_thread

DEADLINE_S = 20
place = ContextVar("place", default="nowhere")


def raising(error):
    def function():
        raise error

    return function


async def test_work_beside_a_body_is_cancelled_and_awaited_at_its_end():
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
