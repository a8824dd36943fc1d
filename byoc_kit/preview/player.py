"""A source and the stage behind it: the same stage that runs in the container."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from byoc_kit.frames import VideoFrame
from byoc_kit.params import Params
from byoc_kit.preview.clip import ClipSource
from byoc_kit.preview.stats import Meter
from byoc_kit.processor import FrameProcessor
from byoc_kit.stage import Failure, Processed, Stage

READING_S = 3.0


class Player:
    """Plays ``source`` through ``processor``; each result goes to ``show`` on the worker thread.

    The first result stays in :attr:`first`, for the poster. It owns two threads, ``preview-source`` and
    ``preview-stage``.
    """

    def __init__(self, processor: FrameProcessor, source: ClipSource, show: Callable[[Processed], None]) -> None:
        self.source = source
        self.stage = Stage(processor, self._sink, name="preview-stage")
        self.arrivals = Meter()
        self.results = Meter()
        self.first: Processed | None = None
        self._failure: Failure | None = None
        self._failed_s = 0.0
        self._has_failed = False
        self._show = show
        self._has_result = threading.Event()
        self._params_lock = threading.Lock()
        self._is_started = False
        self._is_closed = False

    @property
    def is_playing(self) -> bool:
        """True between :meth:`play` and :meth:`pause`, or the end."""
        return self.source.is_playing and not self._is_closed

    def play(self, *, on_break: Callable[[], None]) -> None:
        """Start, or go on; ``on_break`` is called if the clip cannot be read further."""
        if self._is_closed:
            return
        if not self._is_started:
            self._is_started = True
            self.stage.start()
            self.source.start(self._submit, on_break)
        self.source.play()

    def update(self, changes: Mapping[str, Any]) -> None:
        """Have the next frame see other parameters; raises :class:`~byoc_kit.params.ParamsError` and keeps the old."""
        with self._params_lock:
            self.stage.params = self.stage.params.updated(changes)

    @property
    def params(self) -> Params:
        """What the next frame sees."""
        return self.stage.params

    def wait_for_first(self, timeout_s: float) -> Processed | None:
        """Wait for the first result; ``None`` if there is none by then."""
        self._has_result.wait(timeout_s)
        return self.first

    def recent_failure(self) -> Failure | None:
        """Return the exception of the last frame, or of one so short ago that a person could not have read of it."""
        is_recent = self._has_failed or time.monotonic() - self._failed_s < READING_S
        return self._failure if is_recent else None

    def close(self) -> None:
        """End both threads; what waits is dropped."""
        self._is_closed = True
        self._has_result.set()
        self.source.close()
        self.stage.close(drain=False)

    def _submit(self, frame: VideoFrame) -> None:
        self.arrivals.tick()
        self.stage.submit(frame)

    def _sink(self, result: Processed) -> None:
        self.results.tick()
        if result.failure is not None:
            self._failure, self._failed_s = result.failure, time.monotonic()
        self._has_failed = result.failure is not None
        if self.first is None:
            self.first = result
            self._has_result.set()
        self._show(result)
