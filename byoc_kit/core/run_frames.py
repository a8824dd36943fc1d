"""Runs a processor's hooks over frames as one stream. It has no clock, so no frame is dropped for being late."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.system.concurrency import OwnThread, call_on_thread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ran:
    """The result of one frame: ``output`` is ``None`` if ``process_frame`` dropped it or raised ``error``."""

    source: VideoFrame
    output: VideoFrame | None
    took_s: float
    error: BaseException | None = None

    def result(self) -> VideoFrame | None:
        """Return the output, or raise what ``process_frame`` raised."""
        if self.error is not None:
            raise self.error
        return self.output


def run_frames(
    processor: FrameProcessor,
    frames: Iterable[VideoFrame],
    params: Params,
    take: Callable[[Ran], None],
    *,
    on_hook: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the hooks as the container does, in its order and on threads, and pass each frame's result to ``take``.

    The order is ``load_model``, ``on_stream_start``, the frames, ``on_stream_stop``. Once ``load_model`` has returned,
    ``on_stream_stop`` always runs, also if another hook, ``frames`` or ``take`` raises. ``process_frame`` has one
    thread for all frames, and each other hook has a thread of its own; ``frames`` and ``take`` run on the calling
    thread. ``on_hook`` gets the name of each hook but ``process_frame`` before it runs. Raises what those hooks raise.
    """

    def run(name: str, hook: Callable[[], None]) -> None:
        on_hook(name)
        call_on_thread(hook, name=name)

    run("load_model", processor.load)
    with StreamStates().entered():
        try:
            run("on_stream_start", partial(processor.start_stream, params))
            with OwnThread("process_frame") as thread:
                for frame in frames:
                    take(thread.call(partial(_process, processor, frame, params)))
        except BaseException:
            try:
                call_on_thread(processor.stop_stream, name="on_stream_stop")
            except Exception:
                logger.exception("on_stream_stop failed, after the stream had failed")
            raise
        run("on_stream_stop", processor.stop_stream)


def _process(processor: FrameProcessor, frame: VideoFrame, params: Params) -> Ran:
    started_s = time.monotonic()
    output, failure = None, None
    try:
        output = processor.process(frame, params)
    except BaseException as error:  # noqa: BLE001  # any exception of the user's code, SystemExit too
        failure = error
    return Ran(frame, output, time.monotonic() - started_s, failure)
