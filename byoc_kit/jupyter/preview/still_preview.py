"""The preview where no browser is open: it runs some frames at once, and leaves a contact sheet and a table."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container
from contextlib import closing
from functools import partial
from html import escape
from itertools import chain, islice
from pathlib import Path

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params, raw_values
from byoc_kit.core.pixels import said_of_scale
from byoc_kit.core.processor import said_of_no_picture
from byoc_kit.core.run_frames import Ran, run_frames
from byoc_kit.core.timings import percentiles_ms
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.contact_sheet import NAMES, SheetFrame, contact_sheet, describe, spread, thumbnail
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.interface import Preview
from byoc_kit.jupyter.preview.stats import COLD_FRAMES, Budget, PreviewStats
from byoc_kit.media.clip import Clip
from byoc_kit.media.demux import MediaError
from byoc_kit.media.frame_size import Size
from byoc_kit.media.picture import DecodedPicture
from byoc_kit.regress.golden import versions
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import WEBCAM, ClipSource, is_clip_source
from byoc_kit.system.concurrency import OwnThread
from byoc_kit.system.table import aligned

FRAMES = 25
# The limit for all output in the notebook, counted in base64.
LIMIT_BYTES = 300_000
_LONGEST_VALUE = 500
_HTML = '<img alt="{alt}" style="max-width: 100%" src="data:image/jpeg;base64,{data}">'


class LiveSourceError(ByocKitError):
    """A live source was given to a run without a browser, which needs a number of frames."""


class StillPreview(Preview):
    """Runs the first ``frames`` of a clip through ``version`` at once: the cell waits for them.

    Raises what ``process_frame`` raises, with a note that names the frame, so that the cell fails. There is no clock:
    no frame is dropped for being late. ``fps`` is the pace to compare with, by default the clip's own.
    """

    def __init__(
        self,
        version: Version,
        source: str | Path | ClipSource,
        *,
        width: int,
        fps: float | None = None,
        size: Size | None = None,
        compare: Version | None = None,
        frames: int = FRAMES,
    ) -> None:
        if frames < 0:
            msg = f"frames must be 0 or more, not {frames}"
            raise ByocKitError(msg)
        self._version = version
        self._compared = compare
        self._clip = _open(source)
        self._fps = fps or self._clip.fps
        self._size = size or Size()
        self._width = width
        self._input_size = ""
        self._took_s: list[float] = []
        self._of_scale = ""
        self._frames_out = 0
        self._sizes: set[tuple[int, int]] = set()
        self._shots: list[SheetFrame] = []
        self._run(frames)

    @property
    def params(self) -> Params:
        """The defaults."""
        return self._version.params

    def stats(self) -> PreviewStats:
        """Return the counts of the run; rates are of ``process_frame`` alone."""
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
            process_ms=percentiles_ms(self._warm_s),
            drops={"withheld": withheld} if withheld else {},
            failures=[],
            error="",
            target_fps=self._fps,
        )

    def table(self) -> str:
        """Return the numbers as a small text table."""
        made = versions()
        rows = {
            "source": f"{self._clip.name}, {self._input_size}, {self._fps:.3g} fps{self._left_out()}",
            "frames": f"{len(self._took_s)} in, {self._frames_out} out{_of_sizes(self._sizes)}",
            "process_frame": self._timings(),
            "live": self._verdict(),
            "params": _said(self.params),
            **({"note": self._of_scale} if self._of_scale else {}),
            "device": made.pop("device"),
            "versions": ", ".join(f"{name} {version}" for name, version in made.items()),
        }
        return "\n".join(aligned((name, _short(value)) for name, value in rows.items()))

    def sheet(self) -> bytes:
        """Return the contact sheet, a JPEG that leaves room for the table within the limit."""
        around = len(self._html("")) + len(self._alt().encode()) + len(self.table().encode())
        limit_bytes = (LIMIT_BYTES - around) * 3 // 4 - 3
        return contact_sheet(self._shots, width=2 * self._width, limit_bytes=limit_bytes, names=self._names)

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        html = self._html(b64encode(self.sheet()).decode())
        publish_display_data({"text/html": html, "text/plain": f"<{self._alt()}>"})
        publish_display_data({"text/plain": self.table()})

    def _run(self, frames: int) -> None:
        with closing(self._clip.frames()) as reading:
            first = next(reading, None)
            if first is None:
                msg = f"{self._clip.name} has a video stream without a picture; give another file"
                raise MediaError(msg)
            fitted = self._size.fit(first)
            scaled = "" if fitted is first else f" scaled to {fitted.width}x{fitted.height}"
            self._input_size = f"{first.width}x{first.height}{_of_pixels(first)}{scaled}"
            wanted = spread(min(frames, self._clip.count))
            if frames:
                fitting = (self._size.fit(frame).original() for frame in islice(chain([first], reading), frames))
                with OwnThread("process_frame") as thread:
                    run_frames(self._version, fitting, self.params, lambda ran: self._take(ran, wanted, thread))
        if not self._shots:
            self._shots.append(self._shot(0, fitted, None, missing="not processed"))

    def _take(self, ran: Ran, wanted: Container[int], thread: OwnThread) -> None:
        number, before = len(self._took_s), ran.source.original()
        name = "process_frame"
        try:
            output = ran.result()
            if self._compared is not None:
                name = self._compared.name
                run = partial(self._compared.run_on_copy, before, self.params)
                before = thread.call(run) or before
        except Exception as error:
            error.add_note(f"{name} failed on frame {number} of {self._clip.name} (params: {_said(self.params)})")
            raise
        self._took_s.append(ran.took_s)
        self._of_scale = self._of_scale or said_of_scale(self._version.largest)
        if output is not None:
            self._frames_out += 1
            self._sizes.add((output.width, output.height))
        if number in wanted:
            self._shots.append(self._shot(number, before, output))

    def _shot(self, number: int, before: VideoFrame, output: VideoFrame | None, **options: str) -> SheetFrame:
        after, size = None, None
        if output is not None:
            after, size = thumbnail(output.view()), (output.width, output.height)
        small, before_size = thumbnail(before.view()), (before.width, before.height)
        return SheetFrame(number, self._clip.time_s(number), small, before_size, after, size, **options)

    @property
    def _warm_s(self) -> list[float]:
        """How long each frame took, without the first ones if there are others."""
        return self._took_s[COLD_FRAMES:] or self._took_s

    @property
    def _names(self) -> tuple[str, str]:
        """The names of the upper and the lower pictures of the sheet."""
        return NAMES if self._compared is None else (self._compared.name, self._version.name)

    def _left_out(self) -> str:
        damaged = self._clip.damaged if isinstance(self._clip, Clip) else 0
        return f", damaged: {damaged} left out" if damaged else ""

    def _timings(self) -> str:
        if not self._took_s:
            return "not run"
        timings = {**percentiles_ms(self._warm_s), "max": 1000 * max(self._took_s)}
        return ", ".join(f"{name} {ms:.1f} ms" for name, ms in timings.items())

    def _verdict(self) -> str:
        if not self._took_s:
            return "not run"
        if not self._frames_out:
            return said_of_no_picture()
        return f"{Budget(percentiles_ms(self._warm_s)['p95'], self._fps)} (p95)"

    def _alt(self) -> str:
        return _short(describe(self._shots, self._clip.name, self._names))

    def _html(self, data: str) -> str:
        return _HTML.format(alt=escape(self._alt()), data=data)


def _open(source: str | Path | ClipSource) -> ClipSource:
    opened = open_source(source) if isinstance(source, str | Path) and source != WEBCAM else source
    if not is_clip_source(opened):
        msg = f"{source} is live, and no browser is open here; give a clip, a folder of images, or synthetic"
        raise LiveSourceError(msg)
    return opened


def _of_pixels(frame: VideoFrame) -> str:
    """Name the shape of the pixels if they are not square."""
    if not isinstance(frame.origin, DecodedPicture) or frame.origin.display.pixel_aspect == 1:
        return ""
    return f" of {frame.origin.display.pixel_shape} pixels"


def _of_sizes(sizes: set[tuple[int, int]]) -> str:
    said = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
    return f" ({said})" if said else ""


def _said(params: Params) -> str:
    return _short(", ".join(f"{name}={value!r}" for name, value in raw_values(params).items()) or "none")


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST_VALUE else one_line[: _LONGEST_VALUE - 1] + "…"
