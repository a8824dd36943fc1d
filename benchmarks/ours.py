"""``python -m benchmarks.ours PORT JOB``: the contender that is byoc-kit, as a person would write it."""

from __future__ import annotations

import asyncio
import sys
import time

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.server.stream_server import StreamServer


def _pass_through(frame: VideoFrame) -> VideoFrame:
    return frame


def _read_pixels(frame: VideoFrame) -> VideoFrame:
    frame.pixels  # noqa: B018  # made by this
    return frame


def _write_pixels(frame: VideoFrame) -> VideoFrame:
    return frame.replace(pixels=frame.pixels)


def _write_tensor(frame: VideoFrame) -> VideoFrame:
    return frame.replace(tensor=frame.tensor)


def _block(frame: VideoFrame) -> VideoFrame:
    time.sleep(0.1)
    return frame


_JOBS = {
    "pass": _pass_through,
    "pixels": _read_pixels,
    "written": _write_pixels,
    "tensor": _write_tensor,
    "block": _block,
}


async def _serve(port: int, job: str) -> None:
    await StreamServer(FrameProcessor(Hooks.of(_JOBS[job])), port=port, host="127.0.0.1").run_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
