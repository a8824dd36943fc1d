"""``python -m benchmarks.stock PORT JOB``: the contender that is pytrickle alone."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from pytrickle import FrameProcessor, StreamServer
from pytrickle.frames import AudioFrame, VideoFrame


class _PassThrough(FrameProcessor):  # type: ignore[misc]  # pytrickle has no type hints
    async def load_model(self, **_: Any) -> None:
        pass

    async def process_video_async(self, frame: VideoFrame) -> VideoFrame:
        return frame

    async def process_audio_async(self, frame: AudioFrame) -> list[AudioFrame]:
        return [frame]

    async def update_params(self, params: dict[str, Any]) -> None:
        pass


class _Blocking(_PassThrough):
    async def process_video_async(self, frame: VideoFrame) -> VideoFrame:
        time.sleep(0.1)  # noqa: ASYNC251  # what is measured: a model that runs on the CPU or waits for the GPU
        return frame


_JOBS = {"pass": _PassThrough, "block": _Blocking}


async def _serve(port: int, job: str) -> None:
    await StreamServer(_JOBS[job](), port=port, host="127.0.0.1").run_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
