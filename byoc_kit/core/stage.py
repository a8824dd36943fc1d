"""The bounded loop between a source and a sink, the same in the notebook and in the container.

One worker thread runs ``process_frame``. Frames wait in a short queue, which absorbs a burst. The stage is behind when
two things hold: the oldest frame has waited longer than ``max_wait_s``; and the worker has had no pause for
``burst_s``, or its last frames show that it cannot catch up. Then the stage keeps only the latest frame, and drops and
counts the others. So memory and latency are bounded however slow ``process_frame`` is, and a fast ``process_frame``
catches up after a hiccup without losing a frame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from traceback import FrameSummary
from types import TracebackType
from typing import Self

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.publish import Publish, publishing_to
from byoc_kit.core.source_map import user_trace
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.core.timings import Timings
from byoc_kit.errors import name_of, text_of
from byoc_kit.system.allocator import keep_freed_frames

logger = logging.getLogger(__name__)

MAX_KINDS = 50
"""The most kinds of failure that are counted separately: code may make a new exception type for each frame."""

OTHERS = "others"

MAX_WAITING = 30
MAX_WAIT_S = 0.1
BURST_S = 1.0
_SLOW_FRAMES = 3  # one or two frames may be slow, such as a model's first ones
_CLEARLY = 1.5
_GOES_OUT = {
    "passthrough": "the original frame goes out",
    "last": "the last good frame goes out again",
    "drop": "the frame is dropped",
}


class OnError(StrEnum):
    """What goes out in place of a frame on which ``process_frame`` raised."""

    PASSTHROUGH = "passthrough"
    LAST = "last"
    DROP = "drop"


@dataclass(frozen=True)
class Failure:
    """One kind of exception that a hook raised: where, how often, and its last message.

    ``trace`` is the traceback cut to the user's own lines; for a wrong result, it is the line that returned it.
    """

    error: str
    where: str
    message: str
    count: int
    trace: str = ""

    @classmethod
    def of(cls, error: BaseException, hook: str, processor: FrameProcessor) -> Failure:
        """Return a failure that is the first of its kind."""
        file, line = processor.line_of(hook)
        returned_at = FrameSummary(file, line, hook) if line is not None else None
        hooks, source_map = processor.hooks, processor.source_map
        trace = user_trace(error.__traceback__, hooks.user_file, source_map, returned_at=returned_at)
        return cls(name_of(error), processor.where(hook, error), text_of(error), count=1, trace=trace)

    def counted(self, failures: dict[tuple[str, str], Failure]) -> Failure:
        """Replace the failure of the same kind, count one more, and return the result.

        Once there are ``MAX_KINDS`` kinds, failures of any new kind are counted together, as ``others``.
        """
        kind, first = (self.error, self.where), self
        if kind not in failures and len(failures) >= MAX_KINDS:
            kind, first = (OTHERS, ""), replace(self, error=OTHERS)
        before = failures.get(kind)
        failures[kind] = replace(first, count=before.count + 1) if before else first
        return replace(self, count=failures[kind].count)

    def __str__(self) -> str:
        return f"{self.error} at {self.where}: {self.message}"


@dataclass(frozen=True)
class Processed:
    """A frame that went through the stage: ``output`` is ``None`` if ``process_frame`` dropped it.

    After an exception, ``failure`` describes it, and ``OnError`` decides what ``output`` is. ``processor`` is the one
    that ran; it may have been swapped since.
    """

    source: VideoFrame
    output: VideoFrame | None
    processor: FrameProcessor
    params: Params
    waited_s: float
    took_s: float
    failure: Failure | None = None


@dataclass(frozen=True)
class StageStats:
    """Counts since the start, and times of the last frames. ``failures`` are those of the present processor."""

    frames_in: int
    frames_out: int
    drops: dict[str, int]
    failures: list[Failure]
    process_ms: dict[str, float]
    wait_ms: dict[str, float]


@dataclass
class _Counters:
    frames_in: int = 0
    frames_out: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)
    failures_in_a_row: int = 0
    last_failure: Failure | None = None


class Stage:
    """Runs a processor's ``process_frame`` over submitted frames, on a thread of its own.

    Each dropped frame is counted with its reason: ``late`` (a newer frame was waiting), ``withheld`` (``process_frame``
    returned ``None``), ``failed`` (it raised, and ``on_error`` is ``drop``) or ``closed`` (the stage ended first).

    Parameters
    ----------
    processor : FrameProcessor
        The processor whose ``process_frame`` runs.
    sink : callable
        Takes each ``Processed``, in order, on the worker's thread. If it blocks, frames wait and are dropped before
        ``process_frame``; no queue grows.
    params : Params, optional
        The parameters that frames are processed with. Set ``stage.params`` to change them from the next frame on.
    on_error : {"passthrough", "last", "drop"}, optional
        What goes out in place of a frame whose ``process_frame`` raised.
    publish : callable, optional
        Takes the lines that the notebook publishes.
    states : StreamStates, optional
        Where ``byoc_kit.stream_state()`` is kept; by default, in the stage.
    max_waiting : int, optional
        The most frames that wait.
    max_wait_s : float, optional
        The longest time in seconds that a frame may wait while the worker has no pause.
    burst_s : float, optional
        The time in seconds that the worker may be without a pause before the stage can be behind.
    logs_failures : bool, optional
        Whether each new kind of failure is logged once for each processor.
    name : str, optional
        The worker thread's name.

    Examples
    --------
    >>> import numpy as np
    >>> import byoc_kit
    >>> processor = byoc_kit.FrameProcessor(byoc_kit.Hooks.of(lambda frame: 255 - frame.pixels))
    >>> results = []
    >>> with byoc_kit.Stage(processor, results.append) as stage:
    ...     stage.submit(byoc_kit.VideoFrame.from_pixels(np.zeros((4, 4, 3), np.uint8)))
    >>> int(results[0].output.pixels.mean())
    255
    """

    def __init__(
        self,
        processor: FrameProcessor,
        sink: Callable[[Processed], None],
        *,
        params: Params | None = None,
        on_error: OnError | str = OnError.PASSTHROUGH,
        publish: Publish | None = None,
        states: StreamStates | None = None,
        max_waiting: int = MAX_WAITING,
        max_wait_s: float = MAX_WAIT_S,
        burst_s: float = BURST_S,
        logs_failures: bool = True,
        name: str = "stage",
    ) -> None:
        self.processor = processor
        self.params = params or processor.params
        self.error: BaseException | None = None
        self.process_times = Timings()
        self.wait_times = Timings()
        self._sink = sink
        self._on_error = OnError(on_error)
        self._publish = publish
        self._states = states or StreamStates()
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._burst_s = burst_s
        self._logs_failures = logs_failures
        self._waiting: deque[tuple[float, VideoFrame]] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._busy_since_s = 0.0
        self._frame_since_s: float | None = None
        self._has_run: FrameProcessor | None = None
        self._is_at_first_frame = False
        self._last_took_s: deque[float] = deque(maxlen=_SLOW_FRAMES)
        self._last_good: VideoFrame | None = None
        self._counters = _Counters()
        self._name = name
        self._worker: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(drain=kind is None)

    def start(self) -> None:
        """Start the worker thread."""
        keep_freed_frames()
        self._busy_since_s = time.monotonic()
        self._worker = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._worker.start()

    def submit(self, frame: VideoFrame) -> None:
        """Offer a frame; returns at once, even while the worker is busy."""
        with self._changed:
            self._counters.frames_in += 1
            if self._is_closing:
                self._counters.drops["closed"] += 1
                return
            if len(self._waiting) >= self._max_waiting:
                self._waiting.popleft()
                self._counters.drops["late"] += 1
            self._waiting.append((time.monotonic(), frame))
            self._changed.notify()

    def swap(self, processor: FrameProcessor, params: Params) -> None:
        """Run another processor, with its parameters, from the next frame on. Its failures are counted from none."""
        with self._changed:
            self.processor, self.params = processor, params
            self._counters.failures = {}
            self._last_took_s.clear()

    def close(self, *, drain: bool = True, timeout_s: float = 5.0) -> bool:
        """End the worker, after the waiting frames if ``drain``; ``False`` if it has not returned in ``timeout_s``.

        Call it again to wait longer. If the stage is behind at the first call, it keeps only the latest frame. It
        processes the remaining frames, however long that takes.
        """
        with self._changed:
            is_first, self._is_closing = not self._is_closing, True
            if not drain:
                self._counters.drops["closed"] += len(self._waiting)
                self._waiting.clear()
            elif is_first and self._waiting and self._is_behind():
                self._keep_newest()
            self._changed.notify()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout_s)
        return not self.is_running

    def stats(self) -> StageStats:
        """Return the counts so far."""
        with self._changed:
            counters = self._counters
            return StageStats(
                frames_in=counters.frames_in,
                frames_out=counters.frames_out,
                drops=dict(+counters.drops),  # without reasons that did not occur
                failures=list(counters.failures.values()),
                process_ms=self.process_times.percentiles_ms(),
                wait_ms=self.wait_times.percentiles_ms(),
            )

    @property
    def failures_in_a_row(self) -> int:
        """How many frames have raised in a row, up to the newest."""
        return self._counters.failures_in_a_row

    @property
    def last_failure(self) -> Failure | None:
        """The newest failure."""
        return self._counters.last_failure

    @property
    def frame_taking_s(self) -> float:
        """How long ``process_frame`` has been working on the present frame; 0 between frames."""
        since_s = self._frame_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def is_at_first_frame(self) -> bool:
        """Whether the present frame is the first one of its processor, which often takes longer."""
        return self._is_at_first_frame

    @property
    def is_running(self) -> bool:
        """Whether the worker thread runs. While ``process_frame`` hangs, it does, even after ``close``."""
        return self._worker is not None and self._worker.is_alive()

    def _run(self) -> None:
        try:
            with publishing_to(self._publish), self._states.entered():
                while (item := self._take()) is not None:
                    self._sink(self._process(*item))
        except Exception as error:
            logger.exception("the sink of %s failed; the stage ends", self._name)
            self.error = error.with_traceback(None)  # the traceback refers to this call, and so to the stage
            with self._changed:
                self._is_closing = True
                self._counters.drops["closed"] += len(self._waiting)
                self._waiting.clear()

    def _take(self) -> tuple[float, VideoFrame] | None:
        with self._changed:
            if not self._waiting and not self._is_closing:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                self._busy_since_s = time.monotonic()
            if not self._waiting:
                return None
            if self._is_behind() and not self._is_closing:
                self._keep_newest()
            return self._waiting.popleft()

    def _keep_newest(self) -> None:
        self._counters.drops["late"] += len(self._waiting) - 1
        self._waiting = deque([self._waiting[-1]])

    def _is_behind(self) -> bool:
        now_s = time.monotonic()
        is_burst = now_s - self._busy_since_s <= self._burst_s and not self._cannot_catch_up()
        return not is_burst and now_s - self._waiting[0][0] > self._max_wait_s

    def _cannot_catch_up(self) -> bool:
        """Whether each of the last frames took clearly longer than the time from one waiting frame to the next."""
        if len(self._last_took_s) < _SLOW_FRAMES or len(self._waiting) < 2:
            return False
        apart_s = (self._waiting[-1][1].time_s - self._waiting[0][1].time_s) / (len(self._waiting) - 1)
        return min(self._last_took_s) > _CLEARLY * apart_s > 0

    def _process(self, submitted_s: float, frame: VideoFrame) -> Processed:
        with self._changed:
            processor, params, failures = self.processor, self.params, self._counters.failures
        self._is_at_first_frame = processor is not self._has_run
        started_s = time.monotonic()
        self._frame_since_s = started_s
        failure = None
        output: VideoFrame | None
        try:
            output = processor.process(frame, params)
        except BaseException as error:  # noqa: BLE001  # any exception of the user's code is counted and shown, also SystemExit
            output = self._stand_in(frame)
            failure = self._record(error, processor, failures)
        ended_s = time.monotonic()
        self._frame_since_s, self._has_run = None, processor
        self.wait_times.add(started_s - submitted_s)
        self.process_times.add(ended_s - started_s)
        self._last_took_s.append(ended_s - started_s)
        with self._changed:
            if output is not None:
                self._counters.frames_out += 1
            else:
                self._counters.drops["failed" if failure else "withheld"] += 1
            if failure is None:
                self._counters.failures_in_a_row = 0
                self._last_good = (output or self._last_good) if self._on_error is OnError.LAST else None
        return Processed(frame, output, processor, params, started_s - submitted_s, ended_s - started_s, failure)

    def _stand_in(self, frame: VideoFrame) -> VideoFrame | None:
        """Return the frame that goes out in place of a failed one."""
        if self._on_error is OnError.DROP:
            return None
        return frame.original() if self._last_good is None else as_frame(self._last_good, frame)

    def _record(
        self, error: BaseException, processor: FrameProcessor, failures: dict[tuple[str, str], Failure]
    ) -> Failure:
        failure = Failure.of(error, "process_frame", processor)
        with self._changed:
            failure = failure.counted(failures)
            self._counters.last_failure = failure
            self._counters.failures_in_a_row += 1
        if failure.count == 1 and self._logs_failures:
            logger.error("process_frame raised %s; %s", failure, _GOES_OUT[self._on_error])
        return failure
