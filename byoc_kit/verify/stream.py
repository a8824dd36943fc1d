"""Sending a clip in real time, and taking back what comes of it."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import av

from byoc_kit.media.live import read_programs
from byoc_kit.media.live_clip import LiveClip
from byoc_kit.trickle.client import SegmentPublisher, read_channel
from byoc_kit.trickle.pipes import ByteInlet
from byoc_kit.trickle.protocol import VIDEO_TYPE


@dataclass
class Received:
    """What came back: its bytes, and when each picture (by its pts, in 1/90000 s) was whole.

    Times are monotonic; ``started_s`` is when the clip's first chunk was sent.
    """

    started_s: float = 0.0
    data: bytearray = field(default_factory=bytearray)
    arrived_s: dict[int, float] = field(default_factory=dict)


async def send(http: aiohttp.ClientSession, url: str, clip: LiveClip) -> float:
    """Publish a clip at its own pace, which closes the channel at the end; returns the monotonic time of the first."""
    publisher = SegmentPublisher(http, url, VIDEO_TYPE)
    running = asyncio.create_task(publisher.run())
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    try:
        for chunk in clip.chunks:
            await asyncio.sleep(started_s + chunk.time_s - loop.time())
            if chunk.begins_segment:
                await publisher.put(None)
            if chunk.data:
                await publisher.put(chunk.data)
        await publisher.finish()
        await running
    finally:
        running.cancel()
    return started_s


async def receive(http: aiohttp.ClientSession, url: str, received: Received) -> None:
    """Read the output until its channel ends, noting when each picture was whole."""
    inlet = ByteInlet()
    thread = threading.Thread(target=note_arrivals, args=(inlet, received.arrived_s), name="receive", daemon=True)
    thread.start()
    try:
        async for _, data in read_channel(http, url):
            received.data += data
            await inlet.feed(data)
    finally:
        inlet.end()
        await asyncio.to_thread(thread.join)


def note_arrivals(inlet: ByteInlet, arrived_s: dict[int, float]) -> None:
    """Note by its pts when each picture was whole; nothing where no video comes. Blocks until the inlet ends."""
    with suppress(av.FFmpegError):
        for program in read_programs(inlet, lambda *_: None):
            for packet in program.packets():
                if packet.pts is not None and packet.stream is program.video:
                    arrived_s.setdefault(packet.pts, time.monotonic())
