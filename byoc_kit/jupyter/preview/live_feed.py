"""Plays a live source: a camera, a URL, a running server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.timings import Timings
from byoc_kit.jupyter.preview.feed import Submit, why_it_broke_off
from byoc_kit.sources.source import LiveSource


class LiveFeed:
    """Submits a live source's frames as they come. While paused, it drops them."""

    fps: None = None
    position: None = None

    def __init__(self, source: LiveSource) -> None:
        self.name = source.name
        self.source: Any = source
        self.has_ended = False
        self.error = ""
        self.decode_times = Timings()
        self._source = source
        self._submit: Submit | None = None
        self._held: VideoFrame | None = None
        self._is_playing = False
        self._is_closing = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_playing(self) -> bool:
        """True from ``play`` until ``pause`` or the end of the stream."""
        return self._is_playing

    def start(self, submit: Submit, on_event: Callable[[], None]) -> None:
        """Start the thread, paused. The first frame is submitted even so."""
        self._submit = submit
        self._thread = threading.Thread(target=self._run, args=(submit, on_event), name="preview-source", daemon=True)
        self._thread.start()

    def play(self) -> None:
        """Submit the frames that come from now on."""
        self._is_playing = not self.error

    def pause(self) -> None:
        """Hold the last frame; the source runs on."""
        self._is_playing = False

    def rest(self) -> None:
        """Hold the last frame. It never keeps others."""
        self.pause()

    def again(self) -> None:
        """Submit the held frame once more, if paused."""
        with self._lock:
            held = self._held
        if held is not None and not self._is_playing and self._submit is not None:
            self._submit(held)

    def close(self, timeout_s: float = 5.0) -> None:
        """Close the source, end the thread and wait for it."""
        self._is_closing = True
        self._is_playing = False
        self._source.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        with self._lock:
            self._held = None

    def _run(self, submit: Submit, on_event: Callable[[], None]) -> None:
        try:
            with closing(self._source.frames()) as frames:
                for frame in frames:
                    self._take(frame, submit)
            self._is_playing = False
            self.has_ended = True
        except Exception as error:  # noqa: BLE001  # the widget shows it
            self._is_playing = False
            self.error = why_it_broke_off(self.name, error)
        if not self._is_closing:
            on_event()

    def _take(self, frame: VideoFrame, submit: Submit) -> None:
        is_first = self._held is None
        if not is_first and not self._is_playing:
            return
        with self._lock:
            if self._is_closing:
                return
            self._held = frame
        submit(frame)
