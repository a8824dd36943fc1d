"""The preview that nobody watches: a number of frames, a contact sheet and a table."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import closing
from html import escape
from itertools import chain, islice
from pathlib import Path

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import VideoFrame
from byoc_kit.media.decode import MediaError
from byoc_kit.params import Params
from byoc_kit.preview.camera import WEBCAM
from byoc_kit.preview.contact_sheet import Shot, contact_sheet, describe, spread, thumbnail
from byoc_kit.preview.feed import fresh
from byoc_kit.preview.poster import publish_text
from byoc_kit.preview.stats import Budget, PreviewStats
from byoc_kit.processor import FrameProcessor
from byoc_kit.regress.versions import versions
from byoc_kit.sources import Reel, is_reel, open_source
from byoc_kit.timings import percentiles_ms

FRAMES = 25
# Of all that is left in the notebook, base64 and all.
LIMIT_BYTES = 300_000
_LONGEST_VALUE = 500
_HTML = '<img alt="{alt}" style="max-width: 100%" src="data:image/jpeg;base64,{data}">'


class StaticPreview:
    """Runs the first ``frames`` of a reel through ``processor``, at once and on the calling thread.

    Raises what ``process_frame`` raises, so that the cell fails, with a note that names the frame. Nothing is dropped
    for lateness: there is no clock.
    """

    def __init__(
        self, processor: FrameProcessor, source: str | Path | Reel, *, width: int, frames: int = FRAMES
    ) -> None:
        if frames < 0:
            msg = f"frames must be 0 or more, not {frames}"
            raise ByocKitError(msg)
        self.params: Params = processor.params
        self._processor = processor
        self._reel = _open(source)
        self._width = width
        self._took_s: list[float] = []
        self._frames_out = 0
        self._sizes: set[tuple[int, int]] = set()
        self._shots: list[Shot] = []
        self._run(frames)

    @property
    def last_error(self) -> None:
        """Nothing: what ``process_frame`` raises has failed the cell."""

    def play(self) -> None:
        """Nothing plays where nobody looks on."""

    def pause(self) -> None:
        """Nothing plays where nobody looks on."""

    def close(self) -> None:
        """Nothing is open."""

    def stats(self) -> PreviewStats:
        """Return what the pass counted; rates are those of ``process_frame`` alone."""
        frames_in, total_s = len(self._took_s), sum(self._took_s)
        withheld = frames_in - self._frames_out
        return PreviewStats(
            frames_in=frames_in,
            frames_out=self._frames_out,
            shown=0,
            not_shown=self._frames_out,
            in_fps=0.0,
            processed_fps=self._frames_out / total_s if total_s else 0.0,
            shown_fps=0.0,
            process_ms=percentiles_ms(self._took_s),
            drops={"withheld": withheld} if withheld else {},
            failures=[],
            error="",
            target_fps=self._reel.fps,
        )

    def table(self) -> str:
        """Return the numbers as a small text table."""
        width, height = self._shots[0].before_size
        made = versions()
        rows = {
            "source": f"{self._reel.name}, {width}x{height}, {self._reel.fps:.3g} fps",
            "frames": f"{len(self._took_s)} in, {self._frames_out} out{_of_sizes(self._sizes)}",
            "process_frame": self._timings(),
            "live": self._verdict(),
            "params": _said(self.params),
            "device": made.pop("device"),
            "versions": ", ".join(f"{name} {version}" for name, version in made.items()),
        }
        return "\n".join(f"{name:<14} {_short(value)}" for name, value in rows.items())

    def sheet(self) -> bytes:
        """Return the contact sheet, a JPEG that leaves room for the table within the limit."""
        around = len(self._html("")) + len(self._alt().encode()) + len(self.table().encode())
        limit_bytes = (LIMIT_BYTES - around) * 3 // 4 - 3
        return contact_sheet(self._shots, width=2 * self._width, limit_bytes=limit_bytes)

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        html = self._html(b64encode(self.sheet()).decode())
        publish_display_data({"text/html": html, "text/plain": f"<{self._alt()}>"})
        publish_text(self.table())

    def _run(self, frames: int) -> None:
        with closing(self._reel.frames()) as reading:
            first = next(reading, None)
            if first is None:
                msg = f"{self._reel.name} has a video stream without a picture; give another file"
                raise MediaError(msg)
            wanted = spread(min(frames, self._reel.count))
            for number, frame in enumerate(islice(chain([first], reading), frames)):
                self._process(number, frame, is_shown=number in wanted)
        if not self._shots:
            self._shots.append(self._shot(0, first, None, missing="not processed"))

    def _process(self, number: int, frame: VideoFrame, *, is_shown: bool) -> None:
        given = fresh(frame)
        started_s = time.monotonic()
        try:
            output = self._processor.process(given, self.params)
        except Exception as error:
            error.add_note(
                f"process_frame failed on frame {number} of {self._reel.name} (params: {_said(self.params)})"
            )
            raise
        self._took_s.append(time.monotonic() - started_s)
        if output is not None:
            self._frames_out += 1
            self._sizes.add((output.width, output.height))
        if is_shown:
            self._shots.append(self._shot(number, frame, output))

    def _shot(self, number: int, frame: VideoFrame, output: VideoFrame | None, **options: str) -> Shot:
        after, size = None, None
        if output is not None:
            after, size = thumbnail(output.pixels), (output.width, output.height)
        before = thumbnail(frame.original().pixels)
        return Shot(number, self._reel.time_s(number), before, (frame.width, frame.height), after, size, **options)

    def _timings(self) -> str:
        if not self._took_s:
            return "not run"
        timings = {**percentiles_ms(self._took_s), "max": 1000 * max(self._took_s)}
        return ", ".join(f"{name} {ms:.1f} ms" for name, ms in timings.items())

    def _verdict(self) -> str:
        if not self._took_s:
            return "not run"
        return str(Budget(percentiles_ms(self._took_s)["p95"], self._reel.fps))

    def _alt(self) -> str:
        return _short(describe(self._shots, self._reel.name))

    def _html(self, data: str) -> str:
        return _HTML.format(alt=escape(self._alt()), data=data)


def _open(source: str | Path | Reel) -> Reel:
    opened = open_source(source) if isinstance(source, str | Path) and source != WEBCAM else source
    if not is_reel(opened):
        msg = f"{source} is live, and nobody looks on here; give a clip, a folder of images, or synthetic"
        raise ByocKitError(msg)
    return opened


def _of_sizes(sizes: set[tuple[int, int]]) -> str:
    said = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
    return f" ({said})" if said else ""


def _said(params: Params) -> str:
    return _short(", ".join(f"{name}={value!r}" for name, value in params) or "none")


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST_VALUE else one_line[: _LONGEST_VALUE - 1] + "…"
