"""The one event loop of all async hooks: what one leaves behind (a session, a task) the next still finds alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import torch

from byoc_kit.background import ordinary

T = TypeVar("T")

_making = threading.Lock()
_made: list[asyncio.AbstractEventLoop] = []


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a hook's coroutine, without gradients, and return or raise what it does. Blocks."""
    return asyncio.run_coroutine_threadsafe(_guarded(work), _loop()).result()


async def _guarded(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise ordinary(error) from error  # else it would end the loop, and every hook that comes


def _loop() -> asyncio.AbstractEventLoop:
    with _making:
        if not _made:
            _made.append(asyncio.new_event_loop())
            threading.Thread(target=_run, args=(_made[0],), name="async hooks", daemon=True).start()
        return _made[0]


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with torch.inference_mode():  # a mode of the thread: entered around each hook it would leak to those beside it
        loop.run_forever()
