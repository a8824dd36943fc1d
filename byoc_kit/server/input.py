"""The input of a stream: its pictures and its sound, read and decoded on one thread."""

from __future__ import annotations

import logging
import time

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from byoc_kit.core.audio import from_av_audio
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import FrameError
from byoc_kit.core.stage import Stage
from byoc_kit.core.timings import Heartbeat, Timings
from byoc_kit.media.codecs import TIME_BASE, MediaSettings, choose_decoder
from byoc_kit.media.decode import AudioDecoder, PictureCounts, VideoDecoder
from byoc_kit.media.frame_size import Size
from byoc_kit.media.programs import Program, read_programs
from byoc_kit.server.audio_worker import AudioWorker
from byoc_kit.server.output import Faults, Output
from byoc_kit.server.stream_params import FrameLimiter, FrameRate
from byoc_kit.trickle.buffers import ByteInlet

logger = logging.getLogger(__name__)

_MAX_LAG_S = 1.0
_NO_VIDEO_S = 5.0
_NOTHING_FOR_S = 5.0
_LONGEST_AUDIO = 45_000  # 1/90000 s; a longer step from packet to packet is a pause of the whole input


class Input:
    """Decodes the inlet's bytes. Frames go to the stage; sound goes to ``audio``, or unchanged to the output.

    ``source_size`` is the size of the pictures that come. A decoder that cannot keep up skips to the next key frame.
    """

    def __init__(
        self,
        inlet: ByteInlet,
        stage: Stage,
        output: Output,
        audio: AudioWorker | None,
        *,
        settings: MediaSettings,
        faults: Faults,
        size: Size,
        rate: FrameRate,
        name: str,
    ) -> None:
        self.size = size
        self.rate = rate
        self._problem: str | None = None
        self.source_size: tuple[int, int] | None = None
        self.counts = PictureCounts()
        self.decode_times = Timings()
        self.heartbeats = (Heartbeat("the video decoder"), Heartbeat("the sound decoder"))
        self._inlet = inlet
        self._reader = _Reader(inlet)
        self._stage = stage
        self._output = output
        self._audio = audio
        self._settings = settings
        self._faults = faults
        self._name = name
        self._limiter = FrameLimiter()
        self._skips_to_key_frame = False
        self._audio_decoder: AudioDecoder | None = None
        self._progress_at_s = time.monotonic()

    def read(self) -> None:
        """Read and decode until the inlet ends, or the output is abandoned."""
        hwaccel = choose_decoder(self._settings.decoder)
        for program in read_programs(self._reader, self._faults.add, counts=self.counts, hwaccel=hwaccel):
            self._problem = program.problem
            self._read(program)
            self._reader.begin_program()
            if self._output.is_abandoned:
                return

    @property
    def problem(self) -> str | None:
        """Why none of the input can be decoded; None if it can."""
        if self._problem is None and self._reader.read_for_s > _NOTHING_FOR_S:
            return (
                f"nothing in {self._reader.read_for_s:.0f} s of input can be decoded here; send H.264 or HEVC, and AAC"
            )
        return self._problem

    @property
    def standing_s(self) -> float:
        """For how long bytes have waited without any progress."""
        return min(self._inlet.lag_s, time.monotonic() - self._progress_at_s)

    def _read(self, program: Program) -> None:
        has_video = program.video is not None
        if has_video or program.audio is not None:
            self._output.begin(program, video=has_video)
        audio_alone = _AudioAlone()
        decoder: VideoDecoder | None = None
        try:
            for packet in program.packets():
                self._progress_at_s = time.monotonic()
                self._reader.note_packet()
                if self._output.is_abandoned:
                    return
                if isinstance(packet.stream, VideoStream):
                    audio_alone.end()
                    if packet.size and not has_video:
                        has_video = True
                        self._output.begin(program, video=True)
                    decoder = decoder or VideoDecoder(packet.stream, self.counts, self._faults.add)
                    self._decode_video(packet, decoder)
                    continue
                audio_alone.add(packet)
                if has_video and audio_alone.lasts_s > _NO_VIDEO_S:
                    # The camera is off. Segments begin at pictures, so without them the output would be one segment.
                    has_video = False
                    self._output.begin(program, video=False)
                self._take_audio(packet)
        finally:
            if decoder is not None:
                decoder.close()

    def _decode_video(self, packet: Packet, decoder: VideoDecoder) -> None:
        self._skips_to_key_frame |= self._inlet.lag_s > _MAX_LAG_S
        with self.decode_times.measured(), self.heartbeats[0].step():
            frames = list(decoder.decode(packet, keys_only=self._skips_to_key_frame))
        for frame in frames:
            self._skips_to_key_frame &= self._inlet.lag_s > _MAX_LAG_S  # the frames after a key frame can be decoded
            if self._limiter.keeps(frame.pts * frame.time_base, self.rate):
                self._note_size(frame)
                self._stage.submit(self.size.fit(frame))
            else:
                self.counts.drop("above max_framerate")

    def _note_size(self, frame: VideoFrame) -> None:
        if self.source_size is None:
            logger.info("stream %s: its input is %dx%d", self._name, frame.width, frame.height)
        self.source_size = frame.width, frame.height

    def _take_audio(self, packet: Packet) -> None:
        if self._audio is not None:
            self._decode_audio(packet, self._audio)
        elif packet.size:
            self._output.put_audio(packet)

    def _decode_audio(self, packet: Packet, worker: AudioWorker) -> None:
        assert isinstance(packet.stream, AudioStream)  # noqa: S101  # a programme has video and sound
        if self._audio_decoder is None or self._audio_decoder.stream is not packet.stream:
            self._audio_decoder = AudioDecoder(packet.stream, self._faults.add)
        with self.heartbeats[1].step():
            audio_frames = list(self._audio_decoder.decode(packet))
        for audio in audio_frames:
            try:
                worker.submit(from_av_audio(audio))
            except FrameError as error:
                self._faults.add("undecodable sound", error)


class _Reader:
    """Reads the inlet, and measures for how long it has read a programme without any packet.

    After the first packet a pause is no fault: tables and stuffing may go on while a camera is off.
    """

    def __init__(self, inlet: ByteInlet) -> None:
        self._inlet = inlet
        self._first_s: float | None = None
        self._last_s = 0.0
        self._has_packet = False

    @property
    def read_for_s(self) -> float:
        first_s = self._first_s
        return 0.0 if first_s is None else self._last_s - first_s

    def begin_program(self) -> None:
        self._first_s, self._has_packet = None, False

    def note_packet(self) -> None:
        self._first_s, self._has_packet = None, True

    def read(self, size: int = -1, /) -> bytes:
        data = self._inlet.read(size)
        self._last_s = time.monotonic()
        if not self._has_packet:
            self._first_s = self._first_s or self._last_s
        return data


class _AudioAlone:
    """How much sound has come since the last picture, measured by its own times.

    A clock cannot tell: after a pause of the input, or of the decoder, sound may come first.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._ticks = 0

    @property
    def lasts_s(self) -> float:
        """Its length in seconds."""
        return float(self._ticks * TIME_BASE)

    def add(self, packet: Packet) -> None:
        """Count a packet of sound."""
        if packet.dts is None:
            return
        if self._last is not None:
            self._ticks += min(max(0, packet.dts - self._last), _LONGEST_AUDIO)
        self._last = packet.dts

    def end(self) -> None:
        """Start from zero, because a picture has come."""
        self._ticks = 0
