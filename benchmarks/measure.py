"""What is observed while a stream runs: when each picture went and came back, ``/health``, memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp

from benchmarks.child import Child
from benchmarks.source import RATE, SourcePicture
from byoc_kit.system.concurrency import on_thread
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.protocol import VIDEO_TYPE
from byoc_kit.trickle.publisher import SegmentPublisher
from byoc_kit.trickle.subscriber import read_channel
from byoc_kit.verification.stream_clip import note_arrivals

# Sound comes between pictures: one behind which nothing comes at once must not wait for what does.
_AUDIO_BEFORE_S = 0.25 / RATE
_HEALTH_INTERVAL_S = 0.05
_HEALTH_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_MEMORY_INTERVAL_S = 1.0


@dataclass
class Seen:
    """Raw observations of one run. Times are monotonic seconds; pictures go by their pts in 1/90000 s.

    ``handed_s`` is when a picture's bytes were handed to the publisher, ``arrived_s`` when the output picture was
    whole at the reader, ``late_s`` how long after its due time each was handed over. ``memory`` is (time, MB).
    """

    frames: int
    handed_s: dict[int, float] = field(default_factory=dict)
    arrived_s: dict[int, float] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    is_ended: bool = True
    cpu_s: float | None = None
    ready_rss_mb: float | None = None
    peak_rss_mb: float | None = None


async def run_with(work: Coroutine[Any, Any, object], *watchers: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end beside ``watchers``, which end with it; one that raises ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watcher) for watcher in watchers]
            await work
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def publish(http: aiohttp.ClientSession, url: str, pictures: Iterable[SourcePicture], seen: Seen) -> None:
    """Publish pictures at their pace, then close the channel."""
    publisher = SegmentPublisher(http, url, VIDEO_TYPE)
    running = asyncio.create_task(publisher.run())
    started_s = time.monotonic()
    try:
        for number, picture in enumerate(pictures):
            due_s = started_s + number / RATE
            if picture.audio:
                await asyncio.sleep(due_s - _AUDIO_BEFORE_S - time.monotonic())
                await publisher.put(picture.audio)
            await asyncio.sleep(due_s - time.monotonic())
            if picture.begins_segment:
                await publisher.put(None)
            # When it really goes, not when it should: what is late here is no latency of the contender.
            seen.handed_s[picture.pts] = handed_s = time.monotonic()
            seen.late_s.append(handed_s - due_s)
            await publisher.put(picture.data)
        await publisher.finish()
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


async def read(http: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """Read the output until its channel ends, noting when each picture was whole."""
    inlet = ByteInlet()
    noting = asyncio.create_task(on_thread(partial(note_arrivals, inlet, seen.arrived_s), name="bench-reader"))
    try:
        async for _, data in read_channel(http, url):
            await inlet.feed(data)
    finally:
        inlet.end()
        await noting


async def poll_health(http: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """Ask for ``/health`` 20 times a second, whether or not the last answer is there, until cancelled."""

    async def ask() -> None:
        asked_s = time.monotonic()
        try:
            async with http.get(f"{url}/health", timeout=_HEALTH_TIMEOUT) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            pass  # it counts with the time that it took to fail
        finally:
            seen.health_s.append(time.monotonic() - asked_s)

    async with asyncio.TaskGroup() as asking:
        while True:
            asking.create_task(ask())
            await asyncio.sleep(_HEALTH_INTERVAL_S)


async def sample_memory(child: Child, seen: Seen) -> None:
    """Note the resident memory each second until cancelled or the process has ended."""
    while rss_mb := child.rss_mb():
        seen.memory.append((time.monotonic(), rss_mb))
        seen.peak_rss_mb = child.peak_rss_mb()
        await asyncio.sleep(_MEMORY_INTERVAL_S)
