"""Calls the hooks at the start and end of a stream, each on a thread, and watches how long they take."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from byoc_kit.core.processor import FrameProcessor
from byoc_kit.system.concurrency import on_thread

logger = logging.getLogger(__name__)


class HookCalls:
    """Calls hooks; those of one processor run one after the other. ``at_work`` has those that have not returned."""

    def __init__(self) -> None:
        self._under_way: dict[asyncio.Task[None], _Call] = {}

    @property
    def at_work(self) -> list[tuple[str, float]]:
        """The name of each hook that has not returned, and for how many seconds it has run."""
        now_s = time.monotonic()
        return [(call.name, now_s - call.since_s) for call in self._under_way.values()]

    def begin(self, name: str, processor: FrameProcessor, call: Callable[[], None]) -> asyncio.Task[None]:
        """Call a hook when the processor's earlier hooks have returned. The task ends as the hook does."""
        before = [task for task, earlier in self._under_way.items() if earlier.processor is processor]
        calling = asyncio.create_task(_call_after(before, name, call), name=name)
        self._under_way[calling] = _Call(processor, name, time.monotonic())
        calling.add_done_callback(self._under_way.pop)
        return calling


class _Call(NamedTuple):
    processor: FrameProcessor
    name: str
    since_s: float


async def _call_after(before: list[asyncio.Task[None]], name: str, call: Callable[[], None]) -> None:
    if before:
        await asyncio.wait(before)
    await on_thread(call, name=name)
