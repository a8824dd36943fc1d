"""Decodes a live input: packets of pictures to frames, each picture counted, and packets of sound to audio frames."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.codecs import TIME_BASE
from byoc_kit.media.deinterlace import Deinterlacer
from byoc_kit.media.demux import MediaError
from byoc_kit.media.picture import DecodedPicture

OnFault = Callable[[str, Exception], None]

RECEIVED = "received"
"""The key in a frame's ``log_timestamps`` for when all its bytes had come."""

# A picture is lost if it has not come out when this many have followed: in H.264 and HEVC, 16 may wait to be shown.
_MOST_HELD = 20

# A packet's time is used only if it differs by more than this from the end of the frames before. A frame may have begun
# in the packet before, and then has that packet's time.
_FRAMES_OFF = Fraction(3, 2)


@dataclass
class PictureCounts:
    """The pictures of an input: how many arrived, and by reason how many of them gave no frame."""

    arrived: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> None:
        """Count a picture that gives no frame."""
        self.drops[reason] += 1

    def leave_out(self, reason: str) -> None:
        """Count a picture that arrived and will not be decoded."""
        self.arrived += 1
        self.drop(reason)


@dataclass
class _Picture:
    """A picture in the decoder."""

    pts: int | None
    received_s: float
    lost_as: str


class VideoDecoder:
    """Decodes the packets of one video stream, each of one picture. ``on_fault`` is told what cannot be decoded.

    A picture without a time gets one from its place in the order. Interlaced pictures are deinterlaced.
    """

    def __init__(self, stream: VideoStream, counts: PictureCounts, on_fault: OnFault) -> None:
        self.stream = stream
        self._counts = counts
        self._on_fault = on_fault
        self._deinterlacer = Deinterlacer()
        self._clock = _Clock(stream)
        self._in_decoder: dict[int, _Picture] = {}
        self._shown: dict[int, _Picture] = {}
        self._number = 0

    def decode(self, packet: Packet, *, keys_only: bool = False) -> Iterator[VideoFrame]:
        """Yield the frames that are ready. An empty packet ends the stream, and yields the last frames.

        ``keys_only`` decodes only key frames, so that a decoder that is too slow can catch up.
        """
        self._decoder.skip_frame = "NONKEY" if keys_only else "DEFAULT"
        for picture in self._decoded(packet, "late" if keys_only else "undecodable"):
            yield from self._frames(self._deinterlacer.push(picture))
        if not packet.size:
            yield from self._frames(self._deinterlacer.flush())
            self._forget(0)
        self._forget(_MOST_HELD)

    def close(self) -> None:
        """Count the pictures that are still in the decoder."""
        for _ in range(len(self._in_decoder) + len(self._shown)):
            self._counts.drop("closed")
        self._in_decoder.clear()
        self._shown.clear()

    @property
    def _decoder(self) -> VideoCodecContext:
        return self.stream.codec_context

    def _decoded(self, packet: Packet, lost_as: str) -> list[av.VideoFrame]:
        """Return the pictures that come out, with numbers as their times: a decoder can lose times, but not these."""
        number = self._number
        if packet.size:
            self._number += 1
            self._counts.arrived += 1
            self._clock.note(number, packet)
            self._in_decoder[number] = _Picture(packet.pts, time.monotonic(), lost_as)
            packet.pts = packet.dts = number
        try:
            pictures = self._decoder.decode(packet)
        except av.FFmpegError as error:
            self._on_fault("undecodable picture", error)
            if self._in_decoder.pop(number, None):
                self._counts.drop("undecodable")
            return []
        return [picture for picture in pictures if self._is_known(picture)]

    def _is_known(self, picture: av.VideoFrame) -> bool:
        known = self._in_decoder.pop(picture.pts, None)
        if known is not None:
            self._shown[picture.pts] = known
        return known is not None

    def _frames(self, pictures: list[av.VideoFrame]) -> Iterator[VideoFrame]:
        for picture in pictures:
            shown = self._shown.pop(picture.pts)
            pts = self._clock.place(shown.pts)
            if pts is None:
                self._counts.drop("without a time")
                self._on_fault("pictures without a time", MediaError("no PES packet has had a time yet"))
                continue
            picture.pts, picture.time_base = pts, TIME_BASE
            frame = to_video_frame(picture, self._decoder)
            frame.log_timestamps[RECEIVED] = shown.received_s
            yield frame

    def _forget(self, most: int) -> None:
        """Count as lost the oldest pictures beyond the ``most`` that the decoder may hold."""
        for number in list(self._in_decoder)[: max(0, len(self._in_decoder) - most)]:
            self._counts.drop(self._in_decoder.pop(number).lost_as)


class _Clock:
    """Gives pictures without a time a time: one step after the picture before. The other pictures show the step."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._timed: tuple[int, int] | None = None
        self._step: Fraction | None = None
        self._last: Fraction | None = None

    def note(self, number: int, packet: Packet) -> None:
        """Learn the step from the decode time of a picture; ``number`` is its place in decoding order."""
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return
        if self._timed is not None and number - self._timed[0] > 1 and time > self._timed[1]:
            self._step = Fraction(time - self._timed[1], number - self._timed[0])
        self._timed = number, time

    def place(self, pts: int | None) -> int | None:
        """Return the time of the next picture to be shown: its ``pts`` if it has one; ``None`` before the first."""
        if pts is not None:
            self._last = Fraction(pts)
        elif self._last is not None:
            self._last += self._step or self._nominal_step
        return None if self._last is None else round(self._last)

    @property
    def _nominal_step(self) -> Fraction:
        rate = self._stream.codec_context.framerate or self._stream.guessed_rate or Fraction(30)
        return 1 / (Fraction(rate) * TIME_BASE)


def to_video_frame(frame: av.VideoFrame, decoder: VideoCodecContext | None = None) -> VideoFrame:
    """Make a frame from a decoded picture, with its time. ``decoder`` knows all about its colours."""
    picture = DecodedPicture.of(frame, decoder)
    return VideoFrame(None, frame.pts or 0, frame.time_base or TIME_BASE, origin=picture)


class AudioDecoder:
    """Decodes the packets of one sound stream, in order. ``on_fault`` is told what cannot be decoded.

    A parser splits the PES packets, which the demuxer passes on as they are: a packet may have several frames, of which
    only the first has a time, and MPEG-TS puts a header of its own before each Opus frame.
    """

    def __init__(self, stream: AudioStream, on_fault: OnFault) -> None:
        self.stream = stream
        self._on_fault = on_fault
        # The decoder's own parser would change the decoder by what it finds.
        self._parser = CodecContext.create(stream.codec_context.name, "r")
        self._given: int | None = None
        self._next_s: Fraction | None = None

    def decode(self, packet: Packet) -> Iterator[av.AudioFrame]:
        """Yield the frames of a packet, each with its time. An empty packet flushes the parser and the decoder."""
        time_base = packet.time_base or TIME_BASE
        if self._given is None:
            self._given = packet.pts
        for part in self._parts(packet):
            part.time_base, part.pts, self._given = time_base, self._given, None
            try:
                frames = self._decoder.decode(part)
            except av.FFmpegError as error:
                self._on_fault("undecodable sound", error)
                continue
            for frame in frames:
                if self._place(frame, time_base):
                    yield frame

    @property
    def _decoder(self) -> AudioCodecContext:
        return self.stream.codec_context

    def _parts(self, packet: Packet) -> Iterator[Packet]:
        try:
            yield from self._parser.parse(bytes(packet) if packet.size else None)
        except ValueError:  # PCM has no parser and needs none
            yield packet
            return
        if not packet.size:
            yield packet

    def _place(self, frame: av.AudioFrame, time_base: Fraction) -> bool:
        """Set a frame's time; ``False`` if no time is known yet."""
        lasts_s = Fraction(frame.samples, frame.sample_rate)
        given_s = None if frame.pts is None else frame.pts * time_base
        if given_s is not None and (self._next_s is None or abs(given_s - self._next_s) > _FRAMES_OFF * lasts_s):
            self._next_s = given_s
        if self._next_s is None:
            return False
        frame.pts, frame.time_base = round(self._next_s / time_base), time_base
        self._next_s += lasts_s
        return True
