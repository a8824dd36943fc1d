"""What runs in the notebook's kernel: the same clip, process_frame and size, shown by each contender in its own way."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Generator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.preview_number import stamp
from benchmarks.source import RATE
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.stage import Stage
from byoc_kit.jupyter.preview import DISPLAY_WIDTH, Preview, preview
from byoc_kit.media.clip import Clip, read_clip
from byoc_kit.sources.source import ClipSource

# What byoc-kit sends: JPEG with 4:2:0 colour.
_JPEG: dict[str, Any] = {"quality": 80, "subsampling": "4:2:0"}
_MAX_LAG_S = 0.5

Process = Callable[[VideoFrame], VideoFrame]


class Notes:
    """A file whose first line is the kernel's process id; then one a frame.

    Its number, when it was submitted and when process_frame returned (seconds of ``time``), and how much CPU
    process_frame has taken so far by itself.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file).open("w", buffering=1)  # noqa: SIM115  # open as long as the kernel lives
        self._file.write(f"{os.getpid()}\n")
        self._number = 0
        self._own_cpu_s = 0.0

    def marking(self, nap_s: float = 0.0) -> Process:
        """Return a process_frame that waits ``nap_s`` and marks the picture with its number.

        Its own CPU time is that of marking and noting. The conversion to pixels, which it asks for, is the contender's.
        """

        def process_frame(frame: VideoFrame) -> VideoFrame:
            pixels = frame.pixels
            time.sleep(nap_s)
            began_s = time.thread_time()
            self._number += 1
            stamp(pixels, self._number)
            submitted_s = frame.side_data.submitted_s
            self._file.write(f"{self._number} {submitted_s:.6f} {time.time():.6f} {self._own_cpu_s:.6f}\n")
            self._own_cpu_s += time.thread_time() - began_s
            return frame

        return process_frame


class Repeated:
    """A clip so many times over: one that is longer than the memory keeps."""

    def __init__(self, clip: ClipSource, times: int) -> None:
        self.name = clip.name
        self.fps = clip.fps
        self.count = times * clip.count
        self._clip = clip

    def time_s(self, number: int) -> float:
        """See ``time_s``."""
        before, within = divmod(number, self._clip.count)
        return before * self._clip.time_s(self._clip.count) + self._clip.time_s(within)

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """See ``frames``."""
        before, within = divmod(start, self._clip.count)
        yield from self._clip.frames(within)
        for _ in range((before + 1) * self._clip.count, self.count, self._clip.count):
            yield from self._clip.frames()


def byoc_kit(clip: str, notes: str, *, nap_s: float = 0.0, times: int = 1) -> Preview:
    """Show it as a person would, ``preview(process_frame, source=clip)``; each frame carries when it was submitted."""
    submit = Stage.submit

    def noting(self: Stage, frame: VideoFrame) -> None:
        frame.side_data.submitted_s = time.time()
        submit(self, frame)

    Stage.submit = noting  # type: ignore[method-assign]  # the preview has no hook for what only a benchmark asks
    return preview(Notes(notes).marking(nap_s), source=Repeated(Clip(clip), times) if times > 1 else clip)


def ipywidgets_image(clip: str, notes: str) -> Any:
    """Show it as JPEG in an ``ipywidgets.Image`` that a thread sets."""
    import ipywidgets

    widget = ipywidgets.Image(format="jpeg")

    def show(pixels: Pixels) -> None:
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", **_JPEG)
        widget.value = buffer.getvalue()

    _play(clip, Notes(notes).marking(), show)
    return widget


def jupyter_rfb(clip: str, notes: str) -> Any:
    """Show it in a ``RemoteFrameBuffer``, which is asked to draw on the kernel's loop."""
    from jupyter_rfb import RemoteFrameBuffer  # type: ignore[import-untyped]  # it has no type hints

    loop = asyncio.get_running_loop()

    class Buffer(RemoteFrameBuffer):  # type: ignore[misc]
        pixels: Pixels | None = None

        def get_frame(self) -> Pixels | None:
            return self.pixels

    height = DISPLAY_WIDTH * 9 // 16
    widget = Buffer(css_width=f"{2 * DISPLAY_WIDTH}px", css_height=f"{height}px", resizable=False)

    def show(pixels: Pixels) -> None:
        widget.pixels = pixels
        loop.call_soon_threadsafe(widget.request_draw)

    _play(clip, Notes(notes).marking(), show)
    return widget


def _play(clip: str, process_frame: Process, show: Callable[[Pixels], None]) -> None:
    """Hand ``show`` input and output side by side, 30 times a second, on a thread that ends with the kernel."""

    def run() -> None:
        due_s = time.monotonic()
        never = threading.Event()
        for frame in itertools.chain.from_iterable(read_clip(clip) for _ in itertools.count()):
            due_s = max(due_s + 1 / RATE, time.monotonic() - _MAX_LAG_S)
            never.wait(max(0.0, due_s - time.monotonic()))
            work = frame.original()
            work.side_data.submitted_s = time.time()
            show(np.hstack([_shrunk(frame.pixels), _shrunk(process_frame(work).pixels)]))

    threading.Thread(target=run, name="bench-player", daemon=True).start()


def _shrunk(pixels: Pixels) -> Pixels:
    """Scale to the width of the preview, as it does."""
    image = Image.fromarray(pixels)
    size = (DISPLAY_WIDTH, round(image.height * DISPLAY_WIDTH / image.width))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0))
