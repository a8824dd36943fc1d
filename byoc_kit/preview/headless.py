"""The preview that nobody watches: a few frames, a poster and a table."""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from itertools import islice
from pathlib import Path

from byoc_kit.frames import VideoFrame
from byoc_kit.media.decode import read_clip
from byoc_kit.params import Params
from byoc_kit.preview.clip import first_frame, fresh
from byoc_kit.preview.pictures import input_pixels, poster
from byoc_kit.preview.poster import publish, publish_text
from byoc_kit.preview.stats import PreviewStats
from byoc_kit.processor import FrameProcessor
from byoc_kit.timings import percentiles_ms

FRAMES = 25


class StaticPreview:
    """Runs the first frames of a clip through ``processor``, at once and on the calling thread.

    Raises what ``process_frame`` raises, so that the cell fails. Nothing is dropped for lateness: there is no clock.
    """

    def __init__(self, processor: FrameProcessor, source: str | Path, *, width: int, frames: int = FRAMES) -> None:
        first = first_frame(source)
        self.params: Params = processor.params
        self._source = source
        self._size = f"{first.width}x{first.height}"
        self._took_s: deque[float] = deque()
        self._frames_in = 0
        before, after = first, first
        with closing(read_clip(source)) as clip:  # type: ignore[type-var]  # a generator, typed as an Iterator
            for frame in islice(clip, frames):
                output = self._process(processor, fresh(frame))
                if output is not None:
                    before, after = frame, output
        self._poster = poster(input_pixels(before), after.pixels, width)

    def play(self) -> None:
        """Nothing plays where nobody looks on."""

    def pause(self) -> None:
        """Nothing plays where nobody looks on."""

    def close(self) -> None:
        """Nothing is open."""

    def stats(self) -> PreviewStats:
        """Return what the pass counted; rates are those of ``process_frame`` alone."""
        frames_out = len(self._took_s)
        total_s = sum(self._took_s)
        withheld = self._frames_in - frames_out
        return PreviewStats(
            frames_in=self._frames_in,
            frames_out=frames_out,
            shown=0,
            not_shown=frames_out,
            in_fps=0.0,
            processed_fps=frames_out / total_s if total_s else 0.0,
            shown_fps=0.0,
            process_ms=percentiles_ms(self._took_s),
            drops={"withheld": withheld} if withheld else {},
            failures=[],
            error="",
        )

    def table(self) -> str:
        """Return the numbers as a small text table."""
        stats = self.stats()
        rows = {
            "clip": f"{self._source} ({self._size})",
            "frames": f"{stats.frames_in} in, {stats.frames_out} out",
            "process_frame": ", ".join(f"{name} {ms:.1f} ms" for name, ms in stats.process_ms.items()) or "no output",
            "params": ", ".join(f"{name}={value!r}" for name, value in self.params) or "none",
        }
        return "\n".join(f"{name:<14} {value}" for name, value in rows.items())

    def _ipython_display_(self) -> None:
        publish(self._poster)
        publish_text(self.table())

    def _process(self, processor: FrameProcessor, frame: VideoFrame) -> VideoFrame | None:
        started_s = time.monotonic()
        output = processor.process(frame, self.params)
        self._frames_in += 1
        if output is not None:
            self._took_s.append(time.monotonic() - started_s)
        return output
