"""One stream's media path: MPEG-TS bytes in, frames through the stage, MPEG-TS segments out.

    inlet -> [decode thread] -> Stage's worker -> Outbox -> [encode thread] -> output
                             -> sound, untouched or through process_audio ->

Every queue is bounded. A slow network or encoder holds the worker up, and the stage then drops frames at its entry; a
decoder that cannot keep up skips to key frames.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
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
from byoc_kit.frames import AudioFrame, FrameError, VideoFrame
from byoc_kit.media.codecs import choose_decoder
from byoc_kit.media.continuity import Continuity
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.media.live import Program, read_programs
from byoc_kit.media.sound import SoundDecoder
from byoc_kit.params import Params
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.frame_rate import FrameLimiter, FrameRate
from byoc_kit.server.outbox import Outbox
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.size import Size
from byoc_kit.server.sound import SoundWorker
from byoc_kit.stage import Processed, Stage
from byoc_kit.timings import Timings, percentiles_ms
from byoc_kit.trickle.client import SegmentPublisher
from byoc_kit.trickle.pipes import ByteInlet

logger = logging.getLogger(__name__)

_RECEIVED = "received"  # in a frame's log_timestamps: when its bytes were all there
_MAX_LAG_S = 1.0
_NO_VIDEO_S = 5.0
_FPS_OVER_S = 5.0


class Pipeline:
    """The threads of one stream. ``output`` may be ``None``: a stream without video output."""

    def __init__(
        self,
        processor: FrameProcessor,
        params: Params,
        inlet: ByteInlet,
        output: SegmentPublisher | None,
        *,
        settings: ServerSettings,
        publish: Publish | None,
        size: Size,
        rate: FrameRate,
        name: str,
    ) -> None:
        self.size = size
        self.rate = rate
        self.stage = Stage(
            processor, self._sink, params=params, on_error=settings.on_error, publish=publish, name=f"process-{name}"
        )
        self.frames_encoded = 0
        self.refused_in_a_row = 0
        self.last_refusal: Exception | None = None
        self.faults: Counter[str] = Counter()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._error: str | None = None
        self._skips_to_key_frame = False
        self._decode_drops: Counter[str] = Counter()
        self._limiter = FrameLimiter()
        self._settings = settings
        self._inlet = inlet
        self._output = output
        self._continuity = Continuity()
        self._outbox = Outbox()
        self._decode_times = Timings()
        self._encode_times = Timings()
        self._latencies = Timings()
        self._out_at_s: deque[float] = deque(maxlen=600)
        self._encode_drops: Counter[str] = Counter()
        self._sound: SoundWorker | None = None
        self._sound_decoder: SoundDecoder | None = None
        if processor.hooks.process_audio is not None:
            self._sound = SoundWorker(
                processor,
                self._outbox.put_sound,
                params=lambda: self.stage.params,
                publish=publish,
                name=f"sound-{name}",
            )
        self._decoder = threading.Thread(target=self._decode, name=f"decode-{name}", daemon=True)
        self._encoder = threading.Thread(target=self._encode, name=f"encode-{name}", daemon=True)

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
        self._encoder.start()
        self._decoder.start()

    def swap(self, processor: FrameProcessor, params: Params) -> None:
        """Run another processor from the next frame on; sound that passes untouched goes on so."""
        self.stage.swap(processor, params)
        if self._sound is not None:
            self._sound.processor = processor

    def join(self, timeout_s: float) -> bool:
        """Wait until all that came in has gone out; ``False`` if it has not within ``timeout_s``. Blocks."""
        self._decoder.join(timeout_s)
        return not self._decoder.is_alive()

    def abandon(self) -> None:
        """Let go of what is still on its way; nothing waits for a ``process_frame`` that hangs."""
        self._outbox.abandon()
        self._inlet.end()
        self.stage.close(drain=False, timeout_s=0)
        if self._sound is not None:
            self._sound.abandon()

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
        drops = {"decode": dict(self._decode_drops), "process": stage.drops, "encode": dict(self._encode_drops)}
        failures = list(stage.failures)
        timings = {
            "decode": self._decode_times.percentiles_ms(),
            "wait": stage.wait_ms,
            "process": stage.process_ms,
            "encode": self._encode_times.percentiles_ms(),
        }
        if self._sound is not None:
            drops["sound"] = dict(+Counter(late=self._sound.late))
            failures += self._sound.failures
            timings["process_audio"] = self._sound.process_times.percentiles_ms()
        if self._outbox.sound_lost:
            drops.setdefault("sound", {})["encoder behind"] = self._outbox.sound_lost
        if self._output is not None:
            timings["publish"] = percentiles_ms(self._output.waits_s)
        return {
            "frames_in": stage.frames_in,
            "frames_out": stage.frames_out,
            "frames_encoded": self.frames_encoded,
            "fps": self._fps(),
            "drops": {place: reasons for place, reasons in drops.items() if reasons},
            "failures": [vars(failure) for failure in failures],
            "faults": dict(self.faults),
            "latency_ms": self._latencies.percentiles_ms(),
            "timings_ms": {place: timing for place, timing in timings.items() if timing},
        }

    def _fps(self) -> float:
        """Frames a second that came out of late: of the encoder, or of the stage where nothing is encoded."""
        now_s = time.monotonic()
        recent = [at_s for at_s in tuple(self._out_at_s) if now_s - at_s <= _FPS_OVER_S]
        return round(len(recent) / _FPS_OVER_S, 2)

    def _decode(self) -> None:
        try:
            hwaccel = choose_decoder(self._settings.decoder)
            for program in read_programs(self._inlet, self._fault, hwaccel=hwaccel):
                self._read(program)
                if self._outbox.is_abandoned:
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
            while not close(timeout_s=0.5) and not self._outbox.is_abandoned:
                pass
        self._outbox.finish()
        self._encoder.join()

    def _read(self, program: Program) -> None:
        has_video = program.video is not None
        if has_video or program.audio is not None:
            self._begin_writing(program, video=has_video)
        video_at_s = time.monotonic()
        for packet in program.packets():
            if self._outbox.is_abandoned:
                return
            if isinstance(packet.stream, VideoStream):
                video_at_s = time.monotonic()
                if packet.size and not has_video:
                    has_video = True
                    self._begin_writing(program, video=True)
                self._decode_video(packet, packet.stream)
                continue
            if has_video and time.monotonic() - video_at_s > _NO_VIDEO_S:
                has_video = False  # a camera that is off: without pictures to cut at the output would be one segment
                self._begin_writing(program, video=False)
            if self._sound is None:
                self._pass_sound(packet)
            else:
                self._decode_sound(packet, self._sound)

    def _begin_writing(self, program: Program, *, video: bool) -> None:
        if self._output is None:
            return
        writer = SegmentWriter(
            self._output,
            rate=program.rate,
            audio=program.audio,
            encodes_audio=self._sound is not None,
            video=video,
            settings=self._settings,
            continuity=self._continuity,
        )
        self._outbox.put_writer(writer)

    def _decode_video(self, packet: Packet, stream: VideoStream) -> None:
        received_s = time.monotonic()
        self._skips_to_key_frame |= self._inlet.lag_s > _MAX_LAG_S
        # "NONKEY" leaves out all pictures but key frames: how a decoder that is too slow comes back to the present.
        stream.codec_context.skip_frame = "NONKEY" if self._skips_to_key_frame else "DEFAULT"
        try:
            with self._decode_times.measured():
                pictures = packet.decode()
        except av.FFmpegError as error:
            self._fault("undecodable picture", error)
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
            frame = self.size.fit(frame)
            frame.log_timestamps[_RECEIVED] = received_s
            self.stage.submit(frame)

    def _pass_sound(self, packet: Packet) -> None:
        if packet.size:
            self._outbox.put_sound(packet)

    def _decode_sound(self, packet: Packet, worker: SoundWorker) -> None:
        assert isinstance(packet.stream, AudioStream)  # noqa: S101  # a programme has video and sound
        if self._sound_decoder is None or self._sound_decoder.stream is not packet.stream:
            self._sound_decoder = SoundDecoder(packet.stream, self._fault)
        for sound in self._sound_decoder.decode(packet):
            try:
                worker.submit(from_av_audio(sound))
            except FrameError as error:
                self._fault("undecodable sound", error)

    def _sink(self, processed: Processed) -> None:
        if processed.output is None:
            return
        if self._output is None:
            self._note_out(processed.source)
            return
        self._outbox.put_frame(processed.output)

    def _note_out(self, frame: VideoFrame) -> None:
        now_s = time.monotonic()
        self._out_at_s.append(now_s)
        self._latencies.add(now_s - frame.log_timestamps.get(_RECEIVED, now_s))

    def _encode(self) -> None:
        writer: SegmentWriter | None = None
        while (item := self._outbox.take()) is not None:
            if isinstance(item, SegmentWriter):
                self._close(writer)
                writer = item
            elif writer is not None:
                self._write(writer, item)
        if not self._outbox.is_abandoned:
            self._close(writer)

    def _write(self, writer: SegmentWriter, item: VideoFrame | AudioFrame | Packet) -> None:
        try:
            if isinstance(item, VideoFrame):
                self._write_frame(writer, item)
            elif isinstance(item, AudioFrame):
                writer.write_audio_frame(item)
            else:
                writer.write_audio(item)
        except FrameError as error:
            self._refused(item, "no size for video", error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the next frame may go; this one is counted and shown
            self._refused(item, "encoder refused it", error)

    def _refused(self, item: VideoFrame | AudioFrame | Packet, why: str, error: Exception) -> None:
        self._encode_drops[why] += 1
        self._fault("unencodable frame", error)
        if isinstance(item, VideoFrame):
            self.last_refusal = error
            self.refused_in_a_row += 1

    def _write_frame(self, writer: SegmentWriter, frame: VideoFrame) -> None:
        if not writer.has_video:
            self._encode_drops["no video any more"] += (
                1  # the input has gone on without, and this one was still on its way
            )
            return
        with self._encode_times.measured():
            is_written = writer.write_frame(frame)
        if not is_written:
            self._encode_drops["not later than the last"] += 1
            return
        self.frames_encoded += 1
        self.refused_in_a_row = 0
        self._note_out(frame)

    def _close(self, writer: SegmentWriter | None) -> None:
        if writer is None:
            return
        try:
            writer.close()
        except Exception as error:  # noqa: BLE001  # the next programme may be written
            self._fault("unfinished segment", error)

    def _fault(self, kind: str, error: Exception) -> None:
        if not self.faults[kind]:
            logger.warning("%s: %s", kind, error)
        self.faults[kind] += 1
