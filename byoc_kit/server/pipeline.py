"""One stream's media path: MPEG-TS bytes in, frames through the stage, MPEG-TS segments out.

    inlet -> [decode thread] -> Stage's worker -> Output's [encode thread] -> publisher
                             -> sound, untouched or through process_audio ->

Every queue is bounded. A slow network or encoder holds the worker up, and the stage then drops frames at its entry; a
decoder that cannot keep up skips to key frames.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from operator import itemgetter
from typing import Any

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from byoc_kit.audio import from_av_audio
from byoc_kit.data import Publish
from byoc_kit.errors import text_of
from byoc_kit.frames import FrameError
from byoc_kit.media.codecs import choose_decoder
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.live import Program, read_programs
from byoc_kit.media.sound import SoundDecoder
from byoc_kit.params import Params
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.faults import Faults
from byoc_kit.server.frame_rate import FrameLimiter, FrameRate
from byoc_kit.server.output import RECEIVED, Output
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.size import Size
from byoc_kit.server.sound import SoundWorker
from byoc_kit.stage import Stage
from byoc_kit.timings import Timings, percentiles_ms
from byoc_kit.trickle.client import SegmentPublisher
from byoc_kit.trickle.pipes import ByteInlet

logger = logging.getLogger(__name__)

_MAX_LAG_S = 1.0
_NO_VIDEO_S = 5.0


class Pipeline:
    """The threads of one stream. ``publisher`` may be ``None``: a stream without video output.

    Nothing that it owns refers back to it, so that all of a stream goes as soon as the pipeline is let go.
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
        size: Size,
        rate: FrameRate,
        name: str,
    ) -> None:
        self.size = size
        self.rate = rate
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
            name=f"process-{name}",
        )
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._error: str | None = None
        self._input_size: tuple[int, int] | None = None
        self._skips_to_key_frame = False
        self._decode_drops: Counter[str] = Counter()
        self._limiter = FrameLimiter()
        self._settings = settings
        self._inlet = inlet
        self._decode_times = Timings()
        self._sound: SoundWorker | None = None
        self._sound_decoder: SoundDecoder | None = None
        if processor.hooks.process_audio is not None:
            self._sound = SoundWorker(
                processor,
                self._output.put_sound,
                params=lambda: stage.params,
                publish=publish,
                name=f"sound-{name}",
            )
        self._decoder: threading.Thread | None = None
        self._name = name

    @property
    def error(self) -> str | None:
        """Why a thread ended before its time: the stream shows nothing any more."""
        if self.stage.error is not None:
            return f"the stage ended: {self.stage.error}"
        return self._error

    def start(self) -> None:
        """Start the threads; they end when the inlet does. ``ended`` is set when the last of them has."""
        self.stage.start()
        if self._sound is not None:
            self._sound.start()
        self._output.start()
        self._decoder = threading.Thread(target=self._decode, name=f"decode-{self._name}", daemon=True)
        self._decoder.start()

    def swap(self, processor: FrameProcessor, params: Params) -> None:
        """Run another processor from the next frame on; sound that passes untouched goes on so."""
        self.stage.swap(processor, params)
        if self._sound is not None:
            self._sound.processor = processor

    def join(self, timeout_s: float) -> bool:
        """Wait until all that came in has gone out; ``False`` if it has not within ``timeout_s``. Blocks."""
        if self._decoder is None:
            return True
        self._decoder.join(timeout_s)
        return not self._decoder.is_alive()

    def abandon(self) -> None:
        """Let go of what is still on its way; nothing waits for a ``process_frame`` that hangs."""
        self._output.abandon()
        self._inlet.end()
        self.stage.close(drain=False, timeout_s=0)
        if self._sound is not None:
            self._sound.abandon()

    @property
    def refused_in_a_row(self) -> int:
        """How many of the last frames the encoder refused, up to the newest."""
        return self._output.refused_in_a_row

    @property
    def last_refusal(self) -> str:
        """Why the encoder refused the last one that it refused."""
        return self._output.last_refusal

    @property
    def stalled(self) -> tuple[str, float]:
        """The hook that has been at its present frame for longest, and how long in seconds."""
        at_sound_s = self._sound.frame_taking_s if self._sound is not None else 0.0
        return max(("process_frame", self.stage.frame_taking_s), ("process_audio", at_sound_s), key=itemgetter(1))

    @property
    def is_running(self) -> bool:
        """Whether a hook is still at something."""
        return self.stage.is_running or (self._sound is not None and self._sound.is_running)

    def status(self) -> dict[str, Any]:
        """Return counts since the start, and timings and frames a second of late."""
        stage = self.stage.stats()
        drops = {"decode": dict(self._decode_drops), "process": stage.drops, "encode": dict(self._output.drops)}
        failures = list(stage.failures)
        timings = {
            "decode": self._decode_times.percentiles_ms(),
            "wait": stage.wait_ms,
            "process": stage.process_ms,
            "encode": self._output.encode_times.percentiles_ms(),
            "publish": percentiles_ms(self._output.waits_s),
        }
        if self._sound is not None:
            drops["sound"] = dict(+Counter(late=self._sound.late))
            failures += self._sound.failures
            timings["process_audio"] = self._sound.process_times.percentiles_ms()
        if self._output.sound_lost:
            drops.setdefault("sound", {})["encoder behind"] = self._output.sound_lost
        return {
            "input_size": None if self._input_size is None else "{}x{}".format(*self._input_size),
            "frames_in": stage.frames_in,
            "frames_out": stage.frames_out,
            "frames_encoded": self._output.frames_encoded,
            "fps": self._output.fps(),
            "drops": {place: reasons for place, reasons in drops.items() if reasons},
            "failures": [vars(failure) for failure in failures],
            "faults": dict(self._faults.counts),
            "latency_ms": self._output.latencies.percentiles_ms(),
            "timings_ms": {place: timing for place, timing in timings.items() if timing},
        }

    def _decode(self) -> None:
        try:
            hwaccel = choose_decoder(self._settings.decoder)
            for program in read_programs(self._inlet, self._faults.add, hwaccel=hwaccel):
                self._read(program)
                if self._output.is_abandoned:
                    break
        except Exception as error:
            logger.exception("reading the input ended early")
            self._error = f"reading the input ended early: {type(error).__name__}: {text_of(error)}"
        finally:
            self._finish()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self.ended.set)

    def _finish(self) -> None:
        """Wait until the stage, the sound and the encoder are done with what they have."""
        waiting_for = [self.stage.close] + ([self._sound.close] if self._sound is not None else [])
        for close in waiting_for:
            while not close(timeout_s=0.5) and not self._output.is_abandoned:
                pass
        self._output.finish()

    def _read(self, program: Program) -> None:
        has_video = program.video is not None
        if has_video or program.audio is not None:
            self._output.begin(program, video=has_video)
        video_at_s = time.monotonic()
        for packet in program.packets():
            if self._output.is_abandoned:
                return
            if isinstance(packet.stream, VideoStream):
                video_at_s = time.monotonic()
                if packet.size and not has_video:
                    has_video = True
                    self._output.begin(program, video=True)
                self._decode_video(packet, packet.stream)
                continue
            if has_video and time.monotonic() - video_at_s > _NO_VIDEO_S:
                has_video = False  # a camera that is off: without pictures to cut at the output would be one segment
                self._output.begin(program, video=False)
            if self._sound is None:
                self._pass_sound(packet)
            else:
                self._decode_sound(packet, self._sound)

    def _decode_video(self, packet: Packet, stream: VideoStream) -> None:
        received_s = time.monotonic()
        self._skips_to_key_frame |= self._inlet.lag_s > _MAX_LAG_S
        # "NONKEY" leaves out all pictures but key frames: how a decoder that is too slow comes back to the present.
        stream.codec_context.skip_frame = "NONKEY" if self._skips_to_key_frame else "DEFAULT"
        try:
            with self._decode_times.measured():
                pictures = packet.decode()
        except av.FFmpegError as error:
            self._faults.add("undecodable picture", error)
            return
        if self._skips_to_key_frame and not pictures and packet.size:
            self._decode_drops["late"] += 1
        for picture in pictures:
            if not isinstance(picture, av.VideoFrame) or picture.pts is None:
                continue
            self._skips_to_key_frame &= self._inlet.lag_s > _MAX_LAG_S  # what refers to this one can be decoded
            frame = to_video_frame(picture, stream.codec_context)
            if not self._limiter.keeps(frame.pts * frame.time_base, self.rate):
                self._decode_drops["above max_framerate"] += 1
                continue
            self._note_size(frame.width, frame.height)
            frame = self.size.fit(frame)
            frame.log_timestamps[RECEIVED] = received_s
            self.stage.submit(frame)

    def _note_size(self, width: int, height: int) -> None:
        if self._input_size is None:
            logger.info("stream %s: its input is %dx%d", self._name, width, height)
        self._input_size = width, height

    def _pass_sound(self, packet: Packet) -> None:
        if packet.size:
            self._output.put_sound(packet)

    def _decode_sound(self, packet: Packet, worker: SoundWorker) -> None:
        assert isinstance(packet.stream, AudioStream)  # noqa: S101  # a programme has video and sound
        if self._sound_decoder is None or self._sound_decoder.stream is not packet.stream:
            self._sound_decoder = SoundDecoder(packet.stream, self._faults.add)
        for sound in self._sound_decoder.decode(packet):
            try:
                worker.submit(from_av_audio(sound))
            except FrameError as error:
                self._faults.add("undecodable sound", error)
