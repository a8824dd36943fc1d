"""Plays a clip (a video file, a folder of images, a pattern): pace, pause, single steps, jumps, a loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.timings import Timings
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.feed import Position, Submit, why_it_broke_off
from byoc_kit.jupyter.preview.frame_cache import KeptFrames, room_bytes
from byoc_kit.sources.source import ClipSource

# If it is later than this, the feed goes on from now and does not make up for the lost time.
MAX_LAG_S = 0.5
# A longer step between two pictures is a gap in the clip, not its pace.
_MAX_STEP_S = 2.0
# If each frame is shown for longer than this, a change is shown on the present frame.
_SLOW_S = 0.2
# To step back, a clip must decode from the key frame before, so it decodes and keeps this many frames at once.
_BACK = 8


class ClipFeed:
    """Submits a clip's frames, each when its time has come. ``fps``, above 0, replaces the clip's own pace.

    If all frames fit into ``room`` bytes (by default ``room_bytes()``), they are read once and kept.
    """

    def __init__(self, clip: ClipSource, *, fps: float | None = None, room: int | None = None) -> None:
        self.name = clip.name
        self.source: Any = clip
        self.has_ended = False
        self.error = ""
        self.decode_times = Timings()
        self._clip = clip
        self._fps = fps
        self._speed = 1.0
        self._is_looping = True
        self._changed = threading.Condition()
        self._is_playing = False
        self._is_closing = False
        self._is_resting = False
        self._is_wanted_again = False
        self._wanted: int | None = 0
        self._held: VideoFrame | None = None
        self._number = self._under_way = 0
        self._due_s = 0.0
        self._frames: Generator[VideoFrame] | None = None
        self._next = 0
        self._kept = KeptFrames(room_bytes() if room is None else room)
        self._thread: threading.Thread | None = None

    @property
    def fps(self) -> float:
        """Frames a second at speed 1, the pace of a live stream of this clip."""
        return self._fps or self._clip.fps

    @property
    def is_playing(self) -> bool:
        """True from ``play`` until ``pause``, or until the end of a clip that does not loop."""
        return self._is_playing

    @property
    def is_looping(self) -> bool:
        """Whether the first frame follows the last."""
        return self._is_looping

    @property
    def speed(self) -> float:
        """How many times faster than the clip's own pace it plays."""
        return self._speed

    @property
    def position(self) -> Position:
        """The position of the frame that is held, or was submitted last."""
        return Position(self._number, self._clip.count, self._clip.time_s(self._number))

    def start(self, submit: Submit, on_event: Callable[[], None]) -> None:
        """Start the thread, paused, with the first frame submitted."""
        self._thread = threading.Thread(target=self._run, args=(submit, on_event), name="preview-source", daemon=True)
        self._thread.start()

    def play(self) -> None:
        """Go on from the held frame, or from the first one if the clip does not loop and has ended."""
        with self._changed:
            if not self._is_playing:
                self._due_s = time.monotonic()
                if self._is_at_end() and self._wanted is None:
                    self._wanted = 0
            self._is_playing = not self.error
            self._is_resting = False
            self._changed.notify()

    def pause(self) -> None:
        """Hold the last frame."""
        with self._changed:
            self._is_playing = self._is_resting = False
            self._changed.notify()

    def rest(self) -> None:
        """Hold the last frame and release all others, while no browser is open."""
        with self._changed:
            self._is_playing = False
            self._is_resting = True
            self._changed.notify()

    def again(self) -> None:
        """Submit the held frame once more, unless the next one comes soon."""
        with self._changed:
            self._is_wanted_again = not self._is_playing or self._step_s() > _SLOW_S
            self._changed.notify()

    def seek(self, number: int) -> None:
        """Go to a frame, or to the nearest end if there is no such frame. Playing goes on from it."""
        with self._changed:
            self._wanted = min(max(0, number), self._clip.count - 1)
            self._changed.notify()

    def step(self, frames: int) -> None:
        """Hold the frame so many frames after the present one; a negative number goes back.

        It counts from the target of earlier steps and jumps, even if their frames have not been read yet.
        """
        with self._changed:
            self._is_playing = False
            at = self._under_way if self._wanted is None else self._wanted
            self._wanted = min(max(0, at + frames), self._clip.count - 1)
            self._changed.notify()

    def set_speed(self, speed: float) -> None:
        """Play at so many times the pace. Raises ``ByocKitError`` unless ``speed`` is above 0."""
        if not speed > 0:
            msg = f"the speed must be above 0, not {speed}"
            raise ByocKitError(msg)
        with self._changed:
            self._speed = speed
            self._changed.notify()

    def set_looping(self, is_looping: bool) -> None:  # noqa: FBT001  # it is the value to set
        """Choose whether the first frame follows the last, or playing ends there."""
        with self._changed:
            self._is_looping = is_looping

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread and wait for it."""
        with self._changed:
            self._is_closing = True
            self._is_playing = False
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self, submit: Submit, on_event: Callable[[], None]) -> None:
        try:
            while (number := self._wait_for_turn(submit, on_event)) is not None:
                frame = self._take(number)
                if frame is None:
                    self._begin_anew(number)
                    continue
                frame.side_data.position = Position(number, self._clip.count, self._clip.time_s(number))
                with self._changed:
                    self._held, self._number = frame, number
                    is_held = not self._is_playing
                submit(frame)
                if is_held:
                    on_event()
        except Exception as error:  # noqa: BLE001  # the widget shows it
            self._is_playing = False
            self.error = why_it_broke_off(self.name, error)
            on_event()
        finally:
            self._close_frames()
            self._kept.clear()
            # One frame is enough to keep the decoder's pool of buffers alive, with the memory of all decoded frames.
            self._held = None

    def _wait_for_turn(self, submit: Submit, on_event: Callable[[], None]) -> int | None:
        """Wait until a frame's time has come and return its number; ``None`` once the feed closes."""
        while True:
            with self._changed:
                if self._is_closing:
                    return None
                if self._is_resting:
                    self._kept.clear()
                if self._wanted is not None:
                    self._under_way, self._wanted = self._wanted, None
                    self._due_s = time.monotonic()
                    return self._under_way
                held = self._held if self._is_wanted_again else None
                self._is_wanted_again = False
                if held is None and not self._is_playing:
                    self._changed.wait()
                    continue
                is_ended = held is None and self._is_at_end() and not self._is_looping
                if is_ended:
                    self._is_playing = False
                elif held is None:
                    step_s = self._step_s()
                    early_s = self._due_s + step_s - time.monotonic()
                    if early_s > 0:
                        self._changed.wait(early_s)
                        continue
                    self._due_s = time.monotonic() if early_s < -MAX_LAG_S else self._due_s + step_s
                    self._under_way = 0 if self._is_at_end() else self._number + 1
                    return self._under_way
            if held is not None:
                submit(held)
            else:
                on_event()

    def _is_at_end(self) -> bool:
        return self._under_way >= self._clip.count - 1

    def _step_s(self) -> float:
        """Return how long the present frame is shown."""
        if self._fps is not None:
            return 1 / self._fps / self._speed
        step_s = self._clip.time_s(self._number + 1) - self._clip.time_s(self._number)
        return (step_s if 0 < step_s < _MAX_STEP_S else 1 / self._clip.fps) / self._speed

    def _begin_anew(self, number: int) -> None:
        """Go on after a frame that does not exist: a damaged clip is shorter than it says."""
        self._close_frames()
        if self._clip.count == 0 or number < self._clip.count:
            msg = f"{self.name} ended before its frame {number}; the file has changed or is damaged"
            raise ByocKitError(msg)
        with self._changed:
            self._wanted = 0 if self._is_looping and self._is_playing else self._clip.count - 1

    def _take(self, number: int) -> VideoFrame | None:
        """Return a kept frame, or read it, opening the clip there if needed; ``None`` if the clip ends before it."""
        if (kept := self._kept.get(number)) is not None:
            return kept
        if self._frames is None or number != self._next:
            is_step_back = self._held is not None and number == self._number - 1
            self._open(max(0, number - _BACK + 1) if is_step_back else number)
        self._kept.begin()
        while self._next <= number:
            read = self._read()
            if read is None:
                return None
            self._kept.add(self._next, read, self._clip.count)
            self._next += 1
        return self._kept.get(number)

    def _open(self, number: int) -> None:
        self._close_frames()
        self._frames, self._next = self._clip.frames(number), number

    def _read(self) -> VideoFrame | None:
        assert self._frames is not None  # noqa: S101  # opened by _take
        with self.decode_times.measured():
            return next(self._frames, None)

    def _close_frames(self) -> None:
        if self._frames is not None:
            self._frames.close()
            self._frames = None
