"""The thread that runs ``process_audio``. Sound never waits for pictures, and pictures never wait for sound."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from byoc_kit.core.frame_queue import FrameQueue
from byoc_kit.core.frames import AudioFrame
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.publish import Publish, publishing_to
from byoc_kit.core.stage import Failure
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.core.timings import Heartbeat, Timings

logger = logging.getLogger(__name__)

_MAX_WAITING = 100  # frames; two seconds of AAC


class AudioWorker:
    """Runs ``process_audio`` on submitted frames, in order, and passes each result to ``sink``.

    While a hundred frames wait, new ones are dropped and counted as ``late``. After an exception the sound goes out
    unchanged. ``processor`` may be replaced; the next frame goes to the new one.
    """

    def __init__(
        self,
        processor: FrameProcessor,
        sink: Callable[[AudioFrame], None],
        *,
        params: Callable[[], Params],
        publish: Publish | None,
        states: StreamStates,
        name: str,
    ) -> None:
        self._failures: dict[tuple[str, str], Failure] = {}
        self._at_work = Heartbeat("process_audio")
        self.process_times = Timings()
        self._processor = processor
        self._swapping = threading.Lock()
        self._sink = sink
        self._params = params
        self._publish = publish
        self._states = states
        self._waiting: FrameQueue[AudioFrame] = FrameQueue(_MAX_WAITING, drops="newest")
        self._name = name
        self._worker: threading.Thread | None = None

    def start(self) -> None:
        """Start the worker thread."""
        self._worker = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._worker.start()

    def swap(self, processor: FrameProcessor) -> None:
        """Run another processor from the next frame on. Its failures are counted from none."""
        with self._swapping:
            self._processor, self._failures = processor, {}

    @property
    def late(self) -> int:
        """How many frames were dropped because too many waited."""
        return self._waiting.lost

    @property
    def failures(self) -> list[Failure]:
        """The exceptions that ``process_audio`` of the present processor has raised so far."""
        return list(self._failures.values())

    @property
    def frame_taking_s(self) -> float:
        """For how long ``process_audio`` has worked on the current frame; 0 between frames."""
        return self._at_work.taking_s

    @property
    def is_running(self) -> bool:
        """Whether the thread runs. While ``process_audio`` hangs it does, even if it was abandoned."""
        return self._worker is not None and self._worker.is_alive()

    def submit(self, frame: AudioFrame) -> None:
        """Add a frame, without waiting."""
        self._waiting.put(frame)

    def close(self, timeout_s: float) -> bool:
        """End the thread after the waiting frames; ``False`` if it still runs after ``timeout_s``. Can be repeated."""
        if self._worker is None or not self.is_running:
            return True
        self._waiting.finish()
        self._worker.join(timeout_s)
        return not self.is_running

    def abandon(self) -> None:
        """Drop the waiting frames."""
        self._waiting.close()

    def _run(self) -> None:
        with publishing_to(self._publish), self._states.entered():
            while (frame := self._waiting.take()) is not None:
                for result in self._process(frame):
                    self._sink(result)

    def _process(self, frame: AudioFrame) -> list[AudioFrame]:
        with self._swapping:
            processor, failures = self._processor, self._failures
        with self._at_work.step(), self.process_times.measured():
            try:
                return processor.process_audio(frame, self._params())
            except BaseException as error:  # noqa: BLE001  # any exception of the user's code: counted, shown
                self._record(error, processor, failures)
                return [frame]

    def _record(
        self, error: BaseException, processor: FrameProcessor, failures: dict[tuple[str, str], Failure]
    ) -> None:
        failure = Failure.of(error, "process_audio", processor).counted(failures)
        if failure.count == 1:
            logger.error("process_audio raised %s; the sound goes out unchanged", failure)
