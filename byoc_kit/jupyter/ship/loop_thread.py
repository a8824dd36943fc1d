"""A thread with an event loop of its own, which other threads hand their calls to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class LoopThread:
    """Runs one coroutine on a named thread. It is a daemon: who starts it ends it, at the latest by ``atexit``."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> None:
        self._main = main
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; returns once :meth:`call` reaches it."""
        self._thread.start()
        self._is_up.wait()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call a function, soon; once the thread has ended, nothing happens."""
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def join(self, timeout_s: float) -> None:
        """Wait until the coroutine has returned."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._is_up.set()
            runner.run(self._main())
