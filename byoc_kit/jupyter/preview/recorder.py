"""Records what goes through the preview: input to one MP4 file, output to another."""

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

# This many frames may wait for the encoder: 60 MB at 720p.
_WAITING = 8


class RecordingError(ByocKitError):
    """A recording cannot be written."""


@dataclass(frozen=True)
class Recording:
    """A finished recording of ``frames`` frames, without the ``dropped`` ones that there was no time to encode."""

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
    """Writes ``<name>-input.mp4`` and ``<name>-output.mp4``, or ``<name>-2-...`` if those exist.

    Frames play at the pace at which they were added: a pause becomes a still picture, and a loop goes on. For a frame
    that ``process_frame`` withheld, the picture before stays (black at first), so that both files have the same times.
    If the process dies, both files play up to that moment.

    Raises ``RecordingError`` if the folder cannot be written to. It owns a thread, ``preview-recorder``.
    """

    def __init__(
        self, folder: Path | str, name: str, *, fps: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the first frame. ``fps`` only decides how long the last one is shown."""
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
        """One sentence if the recording has broken off, else empty."""
        return str(self._failure or "")

    def add(self, source: VideoFrame, output: VideoFrame | None) -> None:
        """Record a frame and its output. Returns at once; if too many wait, it counts the frame as dropped."""
        if self._is_closed:
            return
        try:
            self._queue.put_nowait(_Moment(self._clock(), source.original(), output))
        except Full:
            self._dropped += 1

    def close(self) -> Recording:
        """Write the waiting frames and end both files. Raises ``RecordingError`` if it broke off or no frame came."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)  # the thread takes from the queue until it gets this, even after an error
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
        except Exception as error:  # noqa: BLE001  # close() raises the error
            self._break_off(error)
            while moment is not None:
                moment = self._queue.get()

    def _write(self, moment: _Moment) -> None:
        if self._input is None:
            self._first_s = moment.time_s
            self._input, self._output = self._begin()
        assert self._output is not None  # noqa: S101  # both begin together
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
        assert self._input.last_pts is not None  # noqa: S101  # it begins with a picture
        if self._output.last_pts is None:
            self._output.write(np.zeros((*self._input.shape, 3), np.uint8), 0)
        self._output.hold(self._input.last_pts)
        self._input.close()
        self._output.close()

    def _begin(self) -> tuple[Mp4Writer, Mp4Writer]:
        """Open files with the first free names."""
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
