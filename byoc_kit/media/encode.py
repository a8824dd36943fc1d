"""Encodes frames and sound to MPEG-TS segments, one for each group of pictures. Bytes go out as soon as they exist."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self, cast

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.core.audio import to_av_audio
from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.core.pixels import FrameError
from byoc_kit.media.codecs import TIME_BASE, MediaSettings, encodable_layout, encoder_options, open_encoder, set_up
from byoc_kit.media.picture import LARGEST_SIDE, MOST_PIXELS, DecodedPicture, DisplayInfo, pixels_to_yuv420p
from byoc_kit.media.ts_muxer import Continuity, TransportMuxer

__all__ = ["TIME_BASE", "SegmentOutput", "SegmentWriter"]

_SMALLEST = 2
_SHORTEST_GOP_S, _LONGEST_GOP_S = 0.5, 2.0
_AUDIO_SEGMENT_S = 1.0
_MAX_HELD = 500


@dataclass(frozen=True)
class _PictureFormat:
    """What an encoder is opened for. Another format needs another encoder."""

    width: int
    height: int
    format: str
    display: DisplayInfo


class SegmentOutput(Protocol):
    """Takes segments one after the other, as bytes."""

    def begin_segment(self) -> None:
        """End the present segment and begin the next."""

    def write(self, data: bytes, /) -> None:
        """Add bytes to the segment."""


class SegmentWriter:
    """Encodes frames for low latency, and muxes them with the sound to MPEG-TS segments.

    A frame of another size than the last begins a segment of that size. Odd sizes lose their last row or column, since
    4:2:0 video has even sides.

    With ``audio``, the stream's sound is copied; with ``encodes_audio``, it is encoded instead, to Opus if it came as
    Opus, else to AAC. While there are no pictures, and always with ``video=False``, sound goes out alone, in segments
    of one second.

    A writer that continues the stream of another writer gets the same ``continuity``. Close the other one first.
    """

    def __init__(
        self,
        output: SegmentOutput,
        *,
        rate: Fraction = Fraction(30),
        audio: AudioStream | None = None,
        encodes_audio: bool = False,
        video: bool = True,
        settings: MediaSettings | None = None,
        continuity: Continuity | None = None,
    ) -> None:
        self._output = output
        self._rate = rate
        self._settings = settings or MediaSettings()
        self._continuity = continuity or Continuity()
        self._muxer = TransportMuxer(continuity=self._continuity)
        self._encodes_audio = encodes_audio
        self._video: VideoStream | None = None
        self._encoder: VideoCodecContext | None = None
        self._encodes: _PictureFormat | None = None
        self._audio: AudioStream | None = None
        self._segment_started: Fraction | None = None
        self._is_audio_alone = not video
        self._last_pts: int | None = None
        if audio is not None:  # now: its source may be closed when the first picture comes
            self._audio = self._open_audio(audio)
        self.has_video = video
        self._held: deque[Packet | AudioFrame] | None = deque(maxlen=_MAX_HELD) if video else None
        self._resampler: AudioResampler | None = None
        self._resamples: tuple[str, str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def write_frame(self, frame: VideoFrame) -> bool:
        """Encode a frame. Returns ``False`` for one that is not later than the last: a decoder could not show it.

        Raises ``FrameError`` for a size that no encoder takes, and if there is to be no video.
        """
        if not self.has_video:
            msg = "the input has no video any more; this frame comes too late"
            raise FrameError(msg)
        pts = round(frame.pts * frame.time_base / TIME_BASE)
        if self._last_pts is not None and pts <= self._last_pts:
            return False
        picture, display = _to_encode(frame)
        wanted = _PictureFormat(picture.width, picture.height, picture.format.name, display)
        is_new = wanted != self._encodes
        if is_new:
            self._open_encoder(wanted)
        assert self._encoder is not None  # noqa: S101  # just opened
        self._last_pts = pts
        picture.pts, picture.time_base = pts, TIME_BASE
        begins_segment = is_new or self._is_audio_alone or self._is_segment_due(frame, pts * TIME_BASE)
        self._is_audio_alone = False
        if begins_segment:
            self._segment_started = pts * TIME_BASE
        # A decoded picture still has the type it had in the input, which the encoder would use.
        picture.pict_type = PictureType.I if begins_segment else PictureType.NONE
        try:
            packets = self._encoder.encode(picture)
        except Exception:
            self._encoder = self._encodes = None  # without its GPU it would fail for ever; the next frame opens another
            raise
        self._mux_video(packets)
        return True

    def write_audio(self, packet: Packet) -> None:
        """Copy a packet of the input's sound. It waits for the first picture."""
        if self._audio is None or packet.dts is None:
            return
        if self._held is not None:
            self._held.append(packet)
            return
        self._mux_audio(packet)

    def write_audio_frame(self, frame: AudioFrame) -> None:
        """Encode sound, resampled to its first format. It waits for the first picture."""
        if self._audio is None:
            return
        if self._held is not None:
            self._held.append(frame)
            return
        given = (frame.format, frame.layout, frame.rate)
        if given != self._resamples:
            self._encode_audio(None)
            encoder = self._audio.codec_context
            self._resampler = AudioResampler(encoder.format, encoder.layout, encoder.rate)
            self._resamples = given
        self._encode_audio(to_av_audio(frame))

    def close(self) -> None:
        """Flush the encoders, end the last segment, and free the encoders, even if that fails."""
        try:
            self._flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Free the encoders; what they hold is lost. Does nothing after ``close``."""
        self._video = self._audio = self._encoder = self._encodes = self._resampler = self._held = None
        self._muxer.close()

    def _flush(self) -> None:
        if self._encoder is not None:
            self._mux_video(self._encoder.encode(None))
        audio = self._audio
        if audio is not None and self._encodes_audio and audio.codec_context.is_open and self._held is None:
            self._encode_audio(None)
            for packet in audio.codec_context.encode(None):
                self._mux_audio(packet)
        self._write(self._muxer.close())

    def _is_segment_due(self, frame: VideoFrame, time: Fraction) -> bool:
        assert self._segment_started is not None  # noqa: S101  # the first frame begins one
        elapsed_s = time - self._segment_started
        if self._settings.gop_s is not None:
            return elapsed_s >= self._settings.gop_s
        is_key = isinstance(frame.origin, DecodedPicture) and frame.origin.is_key
        return elapsed_s >= (_SHORTEST_GOP_S if is_key else _LONGEST_GOP_S)

    def _release_audio(self, first_s: Fraction | None) -> None:
        """Write the sound that waited for the first picture, but not what is earlier than ``first_s``."""
        held, self._held = self._held, None
        for audio in held or ():
            if first_s is not None and _time_of(audio) < first_s:
                continue
            if isinstance(audio, AudioFrame):
                self.write_audio_frame(audio)
            else:
                self.write_audio(audio)

    def _encode_audio(self, frame: av.AudioFrame | None) -> None:
        """Resample and encode a frame, or what the resampler holds."""
        if self._resampler is None or self._audio is None:
            return
        for part in self._resampler.resample(frame):
            for packet in self._audio.codec_context.encode(part):
                self._mux_audio(packet)

    def _open_encoder(self, wanted: _PictureFormat) -> None:
        before, self._encoder, self._encodes = self._encoder, None, None
        if before is not None:
            self._mux_video(before.encode(None))
        self._encoder = open_encoder(self._settings, lambda name: self._opened(name, wanted))
        self._encodes = wanted

    def _opened(self, name: str, wanted: _PictureFormat) -> VideoCodecContext:
        """Open an encoder. The first one that opens makes the stream, and belongs to it."""
        options = encoder_options(name, self._settings)

        def open_for(encoder: VideoCodecContext) -> VideoCodecContext:
            set_up(encoder, width=wanted.width, height=wanted.height, format=wanted.format, display=wanted.display)
            encoder.open()
            return encoder

        def make_stream(container: OutputContainer) -> VideoStream:
            stream = cast("VideoStream", container.add_stream(name, rate=self._rate, options=options))
            open_for(stream.codec_context)
            return stream

        if self._video is None:
            self._video = self._muxer.add_video(make_stream)
            return self._video.codec_context
        encoder = cast("VideoCodecContext", CodecContext.create(name, "w"))
        encoder.options = options
        encoder.framerate = self._rate
        return open_for(encoder)

    def _open_audio(self, source: AudioStream) -> AudioStream:
        """Add the sound's stream. If the input does not say its format yet, assume stereo at 48 kHz.

        That is safe: AAC in MPEG-TS says its format in each packet.
        """
        is_known = bool(source.rate and source.layout.nb_channels)
        rate, layout = (source.rate, source.layout.name) if is_known else (48_000, "stereo")
        if self._encodes_audio:
            # Browsers take Opus by WebRTC, but not AAC: what came as Opus goes out as Opus.
            name, format_ = ("libopus", "flt") if source.codec_context.name == "opus" else ("aac", "fltp")
            audio = self._muxer.add_audio(lambda container: cast("AudioStream", container.add_stream(name, rate=rate)))
            audio.codec_context.format = format_
            audio.codec_context.layout = encodable_layout(name, format_, layout)
            audio.codec_context.time_base = Fraction(1, rate)
            return audio
        audio = self._muxer.add_copy(source)
        if not is_known:
            audio.codec_context.sample_rate = rate
            audio.codec_context.layout = layout
        return audio

    def _mux_video(self, packets: list[Packet]) -> None:
        for packet in packets:
            assert self._video is not None  # noqa: S101  # an encoder with packets has a stream
            packet.stream = self._video
            pts, goes_on = packet.pts, self._continuity.has_begun
            self._write(self._muxer.mux(packet), begins_segment=packet.is_keyframe)
            if self._held is not None:
                # Sound before the stream's first picture belongs to no segment.
                self._release_audio(None if goes_on or pts is None else pts * TIME_BASE)

    def _mux_audio(self, packet: Packet) -> None:
        assert self._audio is not None  # noqa: S101  # the callers have checked that
        packet.stream = self._audio
        begins_segment = self._is_audio_segment_due(packet)
        self._write(self._muxer.mux(packet, with_tables=begins_segment), begins_segment=begins_segment)

    def _is_audio_segment_due(self, packet: Packet) -> bool:
        if packet.dts is None or packet.time_base is None:
            return self._segment_started is None
        time = packet.dts * packet.time_base
        longest_s = _AUDIO_SEGMENT_S if self._is_audio_alone else 2 * max(_LONGEST_GOP_S, self._settings.gop_s or 0)
        if self._segment_started is not None and time - self._segment_started < longest_s:
            return False
        self._segment_started, self._is_audio_alone = time, True
        return True

    def _write(self, data: bytes, *, begins_segment: bool = False) -> None:
        if begins_segment:
            self._output.begin_segment()
        if data:
            self._output.write(data)


def _time_of(audio: AudioFrame | Packet) -> Fraction:
    if isinstance(audio, AudioFrame):
        return Fraction(audio.timestamp * audio.time_base)
    return (audio.dts or 0) * (audio.time_base or TIME_BASE)


def _check_size(frame: VideoFrame, origin: DecodedPicture | None) -> None:
    """Refuse a size smaller than 2x2, or larger than both the bounds and the picture that came in."""
    side, pixels = max(frame.width, frame.height), frame.width * frame.height
    is_bounded = side <= LARGEST_SIDE and pixels <= MOST_PIXELS
    is_as_it_came = (
        origin is not None and side <= max(origin.width, origin.height) and (pixels <= origin.width * origin.height)
    )
    if min(frame.width, frame.height) >= _SMALLEST and (is_bounded or is_as_it_came):
        return
    bounds = f"{_SMALLEST} to {LARGEST_SIDE} pixels a side, and no more than 4096x2160"
    msg = f"{frame.width}x{frame.height} is no size for video; return {bounds}"
    raise FrameError(msg)


def _to_encode(frame: VideoFrame) -> tuple[av.VideoFrame, DisplayInfo]:
    """Return a frame as an encoder takes it: the decoder's own picture if no code has touched it."""
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    origin = frame.origin if isinstance(frame.origin, DecodedPicture) else None
    _check_size(frame, origin)
    display = origin.display if origin else DisplayInfo()
    untouched = frame.untouched
    if isinstance(untouched, DecodedPicture) and (untouched.width, untouched.height) == (width, height):
        return untouched.to_yuv420p(), display
    return pixels_to_yuv420p(frame.view()[:height, :width], display), display
