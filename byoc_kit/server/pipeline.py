"""One stream's media path: MPEG-TS bytes in, frames through the stage, MPEG-TS segments out.

    inlet -> Input's [decode thread] -> Stage's worker -> Output's [encode thread] -> publisher
                                     -> sound, unchanged or through process_audio ->

Every queue is bounded. A slow network or encoder makes the worker wait, and the stage then drops frames at its entry.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from contextlib import suppress
from operator import itemgetter
from typing import Any

from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.publish import Publish
from byoc_kit.core.stage import Stage
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.core.timings import percentiles_ms
from byoc_kit.errors import text_of
from byoc_kit.media.frame_size import Size
from byoc_kit.server.audio_worker import AudioWorker
from byoc_kit.server.input import Input
from byoc_kit.server.output import Faults, Output
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import FrameRate
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.publisher import SegmentPublisher

logger = logging.getLogger(__name__)


class Pipeline:
    """The threads of one stream. A stream without video output has no ``publisher``.

    Nothing that the pipeline owns refers back to it, so all of a stream is freed as soon as the pipeline is.
    """

    def __init__(
        self,
        processor: FrameProcessor,
        params: Params,
        inlet: ByteInlet,
        publisher: SegmentPublisher | None,
        *,
        settings: ServerSettings,
        publish: Publish | None,
        states: StreamStates,
        size: Size,
        rate: FrameRate,
        name: str,
    ) -> None:
        self._faults = Faults()
        self._output = Output(
            publisher,
            settings=settings,
            faults=self._faults,
            encodes_audio=processor.hooks.process_audio is not None,
            name=f"encode-{name}",
        )
        self.stage = stage = Stage(
            processor,
            self._output.put,
            params=params,
            on_error=settings.on_error,
            publish=publish,
            states=states,
            name=f"process-{name}",
        )
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._error: str | None = None
        self._inlet = inlet
        self._audio: AudioWorker | None = None
        if processor.hooks.process_audio is not None:
            self._audio = AudioWorker(
                processor,
                self._output.put_audio,
                params=lambda: stage.params,
                publish=publish,
                states=states,
                name=f"sound-{name}",
            )
        self.input = Input(
            inlet,
            stage,
            self._output,
            self._audio,
            settings=settings,
            faults=self._faults,
            size=size,
            rate=rate,
            name=name,
        )
        self._decoder: threading.Thread | None = None
        self._name = name

    @property
    def error(self) -> str | None:
        """Why a thread ended too early, so that the stream shows nothing more; None if none has."""
        if self.stage.error is not None:
            return f"the stage ended: {self.stage.error}"
        return self._error

    def start(self) -> None:
        """Start the threads. They end when the inlet does, and the last of them sets ``ended``."""
        self.stage.start()
        if self._audio is not None:
            self._audio.start()
        self._output.start()
        self._decoder = threading.Thread(target=self._decode, name=f"decode-{self._name}", daemon=True)
        self._decoder.start()

    def swap(self, processor: FrameProcessor, params: Params) -> None:
        """Run another processor from the next frame on. Sound that passes unchanged still does."""
        self.stage.swap(processor, params)
        if self._audio is not None:
            self._audio.swap(processor)

    def join(self, timeout_s: float) -> bool:
        """Wait until all input has gone out; ``False`` if that takes longer than ``timeout_s``. Blocks."""
        if self._decoder is None:
            return True
        self._decoder.join(timeout_s)
        return not self._decoder.is_alive()

    def abandon(self) -> None:
        """Drop what is still on its way, without waiting for a ``process_frame`` that hangs."""
        self._output.abandon()
        self._inlet.end()
        self.stage.close(drain=False, timeout_s=0)
        if self._audio is not None:
            self._audio.abandon()

    @property
    def refused_in_a_row(self) -> int:
        """How many of the latest frames the encoder refused, one after the other."""
        return self._output.refused_in_a_row

    @property
    def last_refusal(self) -> str:
        """Why the encoder refused a frame, the last time that it did."""
        return self._output.last_refusal

    @property
    def at_work(self) -> list[tuple[str, float]]:
        """The name of each hook that gets frames, and for how many seconds it has worked on the current one."""
        at_audio_s = self._audio.frame_taking_s if self._audio is not None else 0.0
        return [("process_frame", self.stage.frame_taking_s), ("process_audio", at_audio_s)]

    @property
    def standing(self) -> tuple[str, float]:
        """The codec or reader that has been busy for longest, and for how many seconds."""
        beats = [*self.input.heartbeats, *([] if self._output.sending.taking_s else [self._output.encoding])]
        name, taking_s = max(((beat.name, beat.taking_s) for beat in beats), key=itemgetter(1))
        return (name, taking_s) if taking_s else ("the input's reader", self.input.standing_s)

    @property
    def sending_s(self) -> float:
        """How long the encoder has waited for the network to take more."""
        return self._output.sending.taking_s

    @property
    def is_running(self) -> bool:
        """Whether one of its threads runs, for example in a hook or a codec that does not return."""
        is_at_audio = self._audio is not None and self._audio.is_running
        is_decoding = self._decoder is not None and self._decoder.is_alive()
        return self.stage.is_running or is_at_audio or is_decoding or self._output.is_running

    def status(self) -> dict[str, Any]:
        """Return counts since the start, and recent timings and frames per second.

        ``frames_in`` counts the pictures that arrived. Each is encoded, or in ``drops`` with its reason, or in flight.
        """
        stage = self.stage.stats()
        encoded = self._output.frames_encoded
        drops = {
            "decode": dict(self.input.counts.drops),
            "process": stage.drops,
            "encode": dict(self._output.drops),
        }
        dropped = sum(sum(reasons.values()) for reasons in drops.values())
        went_out = encoded if self._output.encodes else stage.frames_out
        arrived = self.input.counts.arrived  # read last: pictures that arrive meanwhile are in flight
        failures = list(stage.failures)
        timings = {
            "decode": self.input.decode_times.percentiles_ms(),
            "wait": stage.wait_ms,
            "process": stage.process_ms,
            "encode": self._output.encode_times.percentiles_ms(),
            "publish": percentiles_ms(self._output.waits_s),
        }
        audio = Counter(self._output.audio_drops)
        if self._audio is not None:
            audio["late"] = self._audio.late
            failures += self._audio.failures
            timings["process_audio"] = self._audio.process_times.percentiles_ms()
        drops["sound"] = dict(+audio)
        return {
            "input_size": None if self.input.source_size is None else "{}x{}".format(*self.input.source_size),
            "frames_in": arrived,
            "frames_out": stage.frames_out,
            "frames_encoded": encoded,
            "frames_in_flight": arrived - went_out - dropped,
            "fps": self._output.fps(),
            "drops": {place: reasons for place, reasons in drops.items() if reasons},
            "failures": [vars(failure) for failure in failures],
            "faults": dict(self._faults.counts),
            "latency_ms": self._output.latencies.percentiles_ms(),
            "timings_ms": {place: timing for place, timing in timings.items() if timing},
        }

    def _decode(self) -> None:
        try:
            self.input.read()
        except Exception as error:
            logger.exception("reading the input ended early")
            self._error = f"reading the input ended early: {type(error).__name__}: {text_of(error)}"
        finally:
            self._finish()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self.ended.set)

    def _finish(self) -> None:
        """Wait until the stage, the sound and the encoder have finished what they have."""
        waiting_for = [self.stage.close] + ([self._audio.close] if self._audio is not None else [])
        for close in waiting_for:
            while not close(timeout_s=0.5) and not self._output.is_abandoned:
                pass
        self._output.finish()
