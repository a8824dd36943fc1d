"""The bounded loop between a source and a sink, the same in the notebook and in the container.

One worker thread owns ``process_frame``. Frames wait in a short queue that absorbs a burst; once the oldest has waited
longer than ``max_wait_s`` the stage is behind, and the latest frame wins: the others are dropped and counted. Memory
and latency stay bounded however slow ``process_frame`` is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from byoc_kit.frames import VideoFrame
from byoc_kit.params import Params
from byoc_kit.processor import FrameProcessor
from byoc_kit.sourcemap import locate

logger = logging.getLogger(__name__)

MAX_WAITING = 8
MAX_WAIT_S = 0.1
_TIMINGS_KEPT = 600


@dataclass(frozen=True)
class Failure:
    """One kind of exception of ``process_frame``: where it came from, what it said last, how often."""

    error: str
    where: str
    message: str
    count: int


@dataclass(frozen=True)
class Processed:
    """A frame that went through: ``output`` is ``None`` where ``process_frame`` dropped it.

    After an exception ``output`` is the source frame and ``failure`` says why.
    """

    source: VideoFrame
    output: VideoFrame | None
    params: Params
    waited_s: float
    took_s: float
    failure: Failure | None = None


@dataclass(frozen=True)
class StageStats:
    """Counts since the start; timings are of the last frames."""

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
    process_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMINGS_KEPT))
    wait_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMINGS_KEPT))


class Stage:
    """Runs a processor's ``process_frame`` over submitted frames and hands each result to ``sink``.

    ``sink`` is called on the worker thread, in order; a sink that blocks makes the stage drop at its entry, never
    queue. The drop reasons are ``late`` (a newer frame was waiting), ``withheld`` (``process_frame`` returned
    ``None``) and ``closed`` (the stage ended first).
    """

    def __init__(
        self,
        processor: FrameProcessor,
        sink: Callable[[Processed], None],
        *,
        params: Params | None = None,
        max_waiting: int = MAX_WAITING,
        max_wait_s: float = MAX_WAIT_S,
        name: str = "stage",
    ) -> None:
        self.processor = processor
        self.params = params or processor.params
        self.error: BaseException | None = None
        self._sink = sink
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._waiting: deque[tuple[float, VideoFrame]] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._counters = _Counters()
        self._worker = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(drain=kind is None)

    def start(self) -> None:
        """Start the worker thread."""
        self._worker.start()

    def submit(self, frame: VideoFrame) -> None:
        """Offer a frame; returns at once, whatever the worker does."""
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

    def close(self, *, drain: bool = True, timeout_s: float = 5.0) -> bool:
        """End the worker, after the waiting frames if ``drain``; ``False`` if it has not returned in ``timeout_s``."""
        with self._changed:
            self._is_closing = True
            if not drain:
                self._counters.drops["closed"] += len(self._waiting)
                self._waiting.clear()
            self._changed.notify()
        if self._worker.ident is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout_s)
        return not self._worker.is_alive()

    def stats(self) -> StageStats:
        """Return the counts so far."""
        with self._changed:
            counters = self._counters
            return StageStats(
                frames_in=counters.frames_in,
                frames_out=counters.frames_out,
                drops=dict(counters.drops),
                failures=list(counters.failures.values()),
                process_ms=percentiles_ms(counters.process_s),
                wait_ms=percentiles_ms(counters.wait_s),
            )

    def _run(self) -> None:
        try:
            while (item := self._take()) is not None:
                self._sink(self._process(*item))
        except Exception as error:
            self.error = error
            logger.exception("the sink of %s failed; the stage ends", self._worker.name)
            with self._changed:
                self._is_closing = True
                self._counters.drops["closed"] += len(self._waiting)
                self._waiting.clear()

    def _take(self) -> tuple[float, VideoFrame] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            if not self._waiting:
                return None
            is_behind = time.monotonic() - self._waiting[0][0] > self._max_wait_s
            if is_behind and not self._is_closing:
                self._counters.drops["late"] += len(self._waiting) - 1
                self._waiting = deque([self._waiting[-1]])
            return self._waiting.popleft()

    def _process(self, submitted_s: float, frame: VideoFrame) -> Processed:
        params = self.params
        started_s = time.monotonic()
        failure = None
        output: VideoFrame | None
        try:
            output = self.processor.process(frame, params)
        except BaseException as error:  # noqa: BLE001  # any exception of the user's code, SystemExit too: counted, shown
            output = frame
            failure = self._record(error)
        ended_s = time.monotonic()
        with self._changed:
            self._counters.wait_s.append(started_s - submitted_s)
            self._counters.process_s.append(ended_s - started_s)
            if output is None:
                self._counters.drops["withheld"] += 1
            else:
                self._counters.frames_out += 1
        return Processed(frame, output, params, started_s - submitted_s, ended_s - started_s, failure)

    def _record(self, error: BaseException) -> Failure:
        name = type(error).__name__
        hooks = self.processor.hooks
        where = locate(error.__traceback__, hooks.user_file, self.processor.source_map, first_line=hooks.first_line)
        with self._changed:
            before = self._counters.failures.get((name, where))
            failure = Failure(name, where, str(error), count=before.count + 1 if before else 1)
            self._counters.failures[name, where] = failure
        if before is None:
            logger.error("process_frame raised %s at %s: %s; the original frame goes out", name, where, error)
        return failure


def percentiles_ms(seconds: deque[float]) -> dict[str, float]:
    """Return the median and 95th percentile in milliseconds, or nothing for no values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {f"p{p}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 3) for p in (50, 95)}
