"""Records what goes through the preview: what came in to one MP4, what came out to another."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from queue import Full, Queue

import av
import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import ByocKitError
from byoc_kit.media.codecs import TIME_BASE
from byoc_kit.media.mp4 import Mp4Writer

# So many frames may wait for the encoder: 60 MB at 720p.
_WAITING = 8


class RecordingError(ByocKitError):
    """A recording that cannot be written."""


@dataclass(frozen=True)
class Recording:
    """What was recorded: ``frames`` of them, not counting those ``dropped`` for want of time to encode them."""

    input: Path
    output: Path
    frames: int
    dropped: int
    duration_s: float


@dataclass(frozen=True)
class _Moment:
    time_s: float
    source: VideoFrame
    output: VideoFrame | None


class Recorder:
    """Writes ``<name>-input.mp4`` and ``<name>-output.mp4``, or ``<name>-2-...`` where those are there.

    Frames play at the pace at which they were added: a pause is a still picture, a loop goes on. A frame that
    ``process_frame`` withheld leaves the picture before it, black at first, so that both files run alike. If the
    process dies meanwhile, both play up to there.

    Raises ``RecordingError`` where the folder cannot be written to. It owns a thread, ``preview-recorder``.
    """

    def __init__(
        self, folder: Path | str, name: str, *, fps: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the first frame; ``fps`` says how long the last one is shown."""
        if not 0 < fps < 1000:  # NaN too
            msg = f"fps must be above 0 and below 1000, not {fps}"
            raise RecordingError(msg)
        self._folder = Path(folder)
        self._name = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "recording"
        self._rate = Fraction(fps).limit_denominator(1001)
        self._clock = clock
        self._queue: Queue[_Moment | None] = Queue(_WAITING)
        self._input: Mp4Writer | None = None
        self._output: Mp4Writer | None = None
        self._first_s = 0.0
        self._frames = 0
        self._dropped = 0
        self._failure: RecordingError | None = None
        self._is_closed = False
        self._check_folder()
        self._thread = threading.Thread(target=self._run, name="preview-recorder", daemon=True)
        self._thread.start()

    @property
    def error(self) -> str:
        """One sentence once the recording has broken off; empty where all is well."""
        return str(self._failure or "")

    def add(self, source: VideoFrame, output: VideoFrame | None) -> None:
        """Record a frame and what became of it; returns at once, and counts it as dropped where too many wait."""
        if self._is_closed:
            return
        try:
            self._queue.put_nowait(_Moment(self._clock(), source.original(), output))
        except Full:
            self._dropped += 1

    def close(self) -> Recording:
        """Write what waits, and end both files. Raises ``RecordingError`` if it broke off, or no frame came."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)  # the thread takes until it gets this, whatever happens
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        if self._input is None or self._output is None:
            msg = "there is nothing to record: no frame came; start the preview, and record again"
            raise RecordingError(msg)
        seconds = float((self._input.last_pts or 0) * TIME_BASE + 1 / self._rate)
        return Recording(self._input.path, self._output.path, self._frames, self._dropped, seconds)

    def _check_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            msg = f"cannot record to {self._folder}: {error.strerror}; choose a folder that can be written to"
            raise RecordingError(msg) from error

    def _run(self) -> None:
        try:
            while (moment := self._queue.get()) is not None:
                self._write(moment)
            self._end()
        except Exception as error:  # noqa: BLE001  # close() raises it
            self._break_off(error)
            while moment is not None:
                moment = self._queue.get()

    def _write(self, moment: _Moment) -> None:
        if self._input is None:
            self._first_s = moment.time_s
            self._input, self._output = self._begin()
        assert self._output is not None  # noqa: S101  # begun together
        pts = round((moment.time_s - self._first_s) / TIME_BASE)
        last_pts = self._input.last_pts
        pts = pts if last_pts is None else max(pts, last_pts + 1)
        self._input.write(moment.source.view(), pts)
        if moment.output is not None:
            if self._output.last_pts is None and pts > 0:
                self._output.write(np.zeros_like(moment.output.view()), 0)
            self._output.write(moment.output.view(), pts)
        self._frames += 1

    def _end(self) -> None:
        if self._input is None or self._output is None:
            return
        assert self._input.last_pts is not None  # noqa: S101  # begun with a picture
        if self._output.last_pts is None:
            self._output.write(np.zeros((*self._input.shape, 3), np.uint8), 0)
        self._output.hold(self._input.last_pts)
        self._input.close()
        self._output.close()

    def _begin(self) -> tuple[Mp4Writer, Mp4Writer]:
        """Take the first names that are free."""
        number = 1
        while True:
            stem = self._name if number == 1 else f"{self._name}-{number}"
            paths = [self._folder / f"{stem}-{end}.mp4" for end in ("input", "output")]
            try:
                if not paths[1].exists():
                    paths[0].open("xb").close()
                    return Mp4Writer(paths[0], rate=self._rate), Mp4Writer(paths[1], rate=self._rate)
            except FileExistsError:
                pass
            number += 1

    def _break_off(self, error: Exception) -> None:
        for writer in (self._input, self._output):
            if writer is not None:
                writer.abandon()
        path = self._input.path if self._input else self._folder
        self._failure = RecordingError(f"the recording to {path} broke off: {_reason(error)}")
        self._failure.__cause__ = error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | av.FFmpegError):
        return f"{error.strerror or error}; make room there, or choose another folder"
    return str(error) if isinstance(error, ByocKitError) else f"{type(error).__name__}: {error}"
