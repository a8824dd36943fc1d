"""A clip as a live source: it plays in a loop, at its own pace, on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import VideoFrame
from byoc_kit.media.decode import MediaError, read_clip

logger = logging.getLogger(__name__)

# Later than this, the source goes on from now rather than hurry after the lost time.
MAX_LAG_S = 0.5
# A longer step between two pictures is a hole in the clip, not its pace.
_MAX_STEP_S = 2.0
_FIRST_STEP_S = 1 / 25


class ClipSource:
    """Submits a clip's frames, each when its time has come.

    Paused, it holds the last frame, and :meth:`again` submits that one anew. Raises
    :class:`~byoc_kit.media.decode.MediaError` for a file that is missing or has no picture.
    """

    def __init__(self, path: str | Path, *, fps: float | None = None) -> None:
        if fps is not None and not fps > 0:
            msg = f"fps must be above 0, not {fps}"
            raise ByocKitError(msg)
        self.first = first_frame(path)
        self.error = ""
        self._path = path
        self._fps = fps
        self._held = self.first
        self._step_s = _FIRST_STEP_S
        self._due_s = 0.0
        self._changed = threading.Condition()
        self._is_playing = False
        self._is_closing = False
        self._is_wanted_again = False
        self._thread: threading.Thread | None = None

    @property
    def is_playing(self) -> bool:
        """True between :meth:`play` and :meth:`pause`."""
        return self._is_playing

    def start(self, submit: Callable[[VideoFrame], None], on_end: Callable[[], None]) -> None:
        """Start the thread, paused; ``on_end`` is called if the clip breaks off with :attr:`error`."""
        self._thread = threading.Thread(target=self._run, args=(submit, on_end), name="preview-source", daemon=True)
        self._thread.start()

    def play(self) -> None:
        """Go on from the held frame."""
        self._set(is_playing=True)

    def pause(self) -> None:
        """Hold the last frame."""
        self._set(is_playing=False)

    def again(self) -> None:
        """Submit the held frame once more, if paused; a playing source brings a new one anyway."""
        with self._changed:
            self._is_wanted_again = not self._is_playing
            self._changed.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread and wait for it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _set(self, *, is_playing: bool) -> None:
        with self._changed:
            self._is_playing = is_playing
            self._changed.notify()

    def _run(self, submit: Callable[[VideoFrame], None], on_end: Callable[[], None]) -> None:
        try:
            while not self._is_closing:
                self._play_once(submit)
        except Exception as error:
            logger.exception("the clip %s broke off", self._path)
            self.error = f"{self._path} broke off: {error}"
            on_end()

    def _play_once(self, submit: Callable[[VideoFrame], None]) -> None:
        before_s: float | None = None
        with closing(read_clip(self._path)) as frames:  # type: ignore[type-var]  # a generator, typed as an Iterator
            for frame in frames:
                step_s = frame.time_s - before_s if before_s is not None else self._step_s
                self._step_s = 1 / self._fps if self._fps else step_s if 0 < step_s < _MAX_STEP_S else self._step_s
                before_s = frame.time_s
                if not self._wait_turn(submit):
                    return
                self._held = frame
                submit(fresh(frame))

    def _wait_turn(self, submit: Callable[[VideoFrame], None]) -> bool:
        """Wait for the next frame's time; ``False`` if the source closes first."""
        self._due_s += self._step_s
        with self._changed:
            while not self._is_closing:
                if not self._is_playing:
                    self._changed.wait_for(lambda: self._is_playing or self._is_closing or self._is_wanted_again)
                    if self._is_wanted_again and not self._is_playing:
                        submit(fresh(self._held))
                    self._is_wanted_again = False
                    self._due_s = time.monotonic()
                    continue
                early_s = self._due_s - time.monotonic()
                if early_s < -MAX_LAG_S:
                    self._due_s = time.monotonic()
                if early_s <= 0:
                    return True
                self._changed.wait(early_s)
        return False


def first_frame(path: str | Path) -> VideoFrame:
    """Return a clip's first picture; raises :class:`MediaError` if it has none."""
    with closing(read_clip(path)) as frames:  # type: ignore[type-var]  # a generator, typed as an Iterator
        frame = next(frames, None)
    if frame is None:
        msg = f"{path} has a video stream without a picture; give another file"
        raise MediaError(msg)
    return frame


def fresh(frame: VideoFrame) -> VideoFrame:
    """Return a copy of the frame with its pixels kept aside: ``process_frame`` may write into those it gets."""
    copy = VideoFrame.from_pixels(frame.pixels.copy(), frame.pts, frame.time_base)
    copy.side_data.input = frame.pixels
    return copy
