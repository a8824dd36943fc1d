"""Frames from a thread that reads to one that takes them."""

from __future__ import annotations

import threading
import time
from collections import deque

from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import ByocKitError

_HELD = 4


class Handover:
    """Holds 4 frames at most. When it is full, whoever puts one waits, or else the oldest is dropped (``drops``)."""

    def __init__(self, *, drops: bool) -> None:
        self._frames: deque[VideoFrame] = deque(maxlen=_HELD)
        self._drops = drops
        self._error: ByocKitError | None = None
        self._is_finished = False
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, frame: VideoFrame) -> bool:
        """Add a frame; ``False`` where nobody takes any more."""
        with self._changed:
            if not self._drops:
                self._changed.wait_for(lambda: len(self._frames) < _HELD or self._is_closed)
            self._frames.append(frame)
            self._changed.notify_all()
            return not self._is_closed

    def finish(self, error: ByocKitError | None = None) -> None:
        """Say that nothing follows, and why; what is there is still taken."""
        with self._changed:
            self._is_finished, self._error = True, error
            self._changed.notify_all()

    def take(self, timeout_s: float) -> VideoFrame | None:
        """Return the next frame; ``None`` at the end. Raises the error it ended with, and ``TimeoutError``."""
        with self._changed:
            ends = lambda: self._frames or self._is_finished or self._is_closed  # noqa: E731
            if not self._changed.wait_for(ends, timeout_s):
                raise TimeoutError
            if self._is_closed:
                return None
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None:
                raise self._error
            return None

    def wait_until(self, due_s: float) -> None:
        """Wait until a monotonic time, or until it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, max(0.0, due_s - time.monotonic()))

    def close(self) -> None:
        """Let go of both sides."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
