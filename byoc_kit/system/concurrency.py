"""Tasks, threads and event loops, each with an owner that ends it, and the signals that end a program."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from byoc_kit.errors import ByocKitError

T = TypeVar("T")

logger = logging.getLogger(__name__)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run a coroutine during the body of the ``async with``; cancel and await it at the end.

    If the coroutine has raised an exception, it is raised at the end of the body.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def take_error(task: asyncio.Task[Any]) -> None:
    """Look at what a task raised that nobody waits for any more: it is logged."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("%s: %s", task.get_name(), error, exc_info=error)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what still runs, and wait until it has ended; what it raises at that is logged."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
        task.add_done_callback(take_error)
    if running:
        await asyncio.wait(running)


async def until_either(work: Coroutine[Any, Any, object], stop: Coroutine[Any, Any, object]) -> None:
    """Run two coroutines until one of them ends, cancel and await the other, and raise what they raised."""
    tasks = [asyncio.create_task(work), asyncio.create_task(stop)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def set_at_signal() -> asyncio.Event:
    """Return an event of the running loop that SIGTERM and SIGINT set."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


async def on_thread(function: Callable[[], T], *, name: str) -> T:
    """Run a function that may block or hang on a daemon thread of its own; return its result or raise its exception.

    Unlike with ``asyncio.to_thread``, the process can end while the function runs: SIGTERM must not wait for a user's
    model. An exception that would end the loop (``SystemExit``), or that cannot be awaited (``StopIteration``), becomes
    a ``ByocKitError``.
    """
    return await _outcome(function, lambda run: threading.Thread(target=run, name=name, daemon=True).start())


class OwnThread:
    """A daemon thread that runs functions one after the other. It ends with ``close``, or when this object is freed."""

    def __init__(self, name: str) -> None:
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._end = weakref.finalize(self, self._waiting.put, None)
        threading.Thread(target=_run_each, args=(self._waiting,), name=name, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread after the functions that wait; returns at once."""
        self._end()

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function as ``on_thread`` does, after the earlier functions."""
        return await _outcome(function, self._waiting.put)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function after the earlier ones and wait for it; return its result or raise its exception.

        It sees the context variables of the calling thread, which decide where it prints and publishes to.
        """
        future: Future[T] = Future()
        context = copy_context()

        def run() -> None:
            try:
                future.set_result(context.run(function))
            except BaseException as error:  # noqa: BLE001  # the waiting caller raises it
                future.set_exception(ordinary(error) if isinstance(error, StopIteration) else error)

        self._waiting.put(run)
        return future.result()


def call_on_thread(function: Callable[[], T], *, name: str) -> T:
    """Run a function on a thread of its own, as ``call`` does."""
    with OwnThread(name) as thread:
        return thread.call(function)


def _run_each(waiting: SimpleQueue[Callable[[], None] | None]) -> None:
    while (run := waiting.get()) is not None:
        run()
        del run  # the function may hold the last reference to this thread's owner


async def _outcome(function: Callable[[], T], start: Callable[[Callable[[], None]], None]) -> T:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    start(partial(_settle_with, future, function))
    try:
        return await future
    finally:
        del future  # the exception refers to this call: with the future it would keep itself and much else alive


def _settle_with(future: asyncio.Future[T], function: Callable[[], T]) -> None:
    """Run a function and put its outcome into a future of another thread's loop."""
    settle: Callable[[], None]
    try:
        settle = partial(future.set_result, function())
    except BaseException as raised:  # noqa: BLE001  # the awaiting task raises it
        settle = partial(future.set_exception, ordinary(raised))
    try:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            future.get_loop().call_soon_threadsafe(_unless_cancelled, future, settle)
    finally:
        del settle, future  # as in _outcome: the exception refers to this call too


def _unless_cancelled(future: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not future.cancelled():
        settle()


def ordinary(error: BaseException) -> Exception:
    """Return an exception that an event loop passes on: a ``ByocKitError`` in place of one that would end the loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = ByocKitError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    wrapped.__cause__ = error
    return wrapped.with_traceback(error.__traceback__)


class LoopThread:
    """An event loop on a named daemon thread. It ends with ``main``, or with ``close``.

    Its owner must end it, at the latest by ``atexit``. The whole thread runs ``within`` a context.
    """

    def __init__(
        self,
        name: str,
        main: Callable[[], Coroutine[Any, Any, object]] | None = None,
        *,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._main = main or self._until_closed
        self._within = within
        self._loop = asyncio.new_event_loop()
        self._closed = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, wait for it, and return its result or raise its exception.

        An exception that would end the loop (``SystemExit``) is raised as a ``ByocKitError``.
        """
        return self.begin(work).result()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, and return a future of its result."""
        return asyncio.run_coroutine_threadsafe(_survived(work), self._loop)

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Let the loop call a function soon. Does nothing once the thread has ended."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def close(self) -> None:
        """Cancel what still runs on the loop, and end the thread; returns at once."""
        self.call(self._closed.set)

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout_s)

    async def _until_closed(self) -> None:
        await self._closed.wait()

    def _run(self) -> None:
        with self._within(), asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())


async def _survived(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise ordinary(error) from error
