"""Video of a live input: from its pictures' packets to frames, each picture counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.audio_decoder import OnFault
from byoc_kit.media.codecs import TIME_BASE
from byoc_kit.media.decode import MediaError, to_video_frame
from byoc_kit.media.deinterlace import Deinterlacer

RECEIVED = "received"
"""In a frame's ``log_timestamps``: when its bytes were all there."""

# A picture of which nothing came while so many followed is lost: 16 may wait to be shown, in H.264 as in HEVC.
_MOST_HELD = 20


@dataclass
class PictureCounts:
    """The pictures of an input: how many arrived, and by reason how many of them gave no frame."""

    arrived: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> None:
        """Count a picture that gives no frame."""
        self.drops[reason] += 1

    def leave_out(self, reason: str) -> None:
        """Count a picture that arrived and is not looked into."""
        self.arrived += 1
        self.drop(reason)


@dataclass
class _Picture:
    """A picture in the decoder."""

    pts: int | None
    received_s: float
    lost_as: str


class VideoDecoder:
    """Decodes the packets of one stream, a picture each; ``on_fault`` hears of what cannot be decoded.

    A picture without a time of its own is shown when it is its turn. Interlaced pictures are deinterlaced.
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
        """Yield the frames that are ready; an empty packet ends the stream, and yields the last.

        ``keys_only`` leaves out all pictures but key frames: how a decoder that is too slow comes back to the present.
        """
        self._decoder.skip_frame = "NONKEY" if keys_only else "DEFAULT"
        for picture in self._decoded(packet, "late" if keys_only else "undecodable"):
            yield from self._frames(self._deinterlacer.push(picture))
        if not packet.size:
            yield from self._frames(self._deinterlacer.flush())
            self._forget(0)
        self._forget(_MOST_HELD)

    def close(self) -> None:
        """Count what is still on its way."""
        for _ in range(len(self._in_decoder) + len(self._shown)):
            self._counts.drop("closed")
        self._in_decoder.clear()
        self._shown.clear()

    @property
    def _decoder(self) -> VideoCodecContext:
        return self.stream.codec_context

    def _decoded(self, packet: Packet, lost_as: str) -> list[av.VideoFrame]:
        """Return the pictures that come out, with their numbers for times: a decoder loses none of those."""
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
    """Gives pictures without a time one, a step after the picture before; the step is what the others show it to be."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._timed: tuple[int, int] | None = None
        self._step: Fraction | None = None
        self._last: Fraction | None = None

    def note(self, number: int, packet: Packet) -> None:
        """Learn from the decode time of a picture, by its number in that order."""
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return
        if self._timed is not None and number - self._timed[0] > 1 and time > self._timed[1]:
            self._step = Fraction(time - self._timed[1], number - self._timed[0])
        self._timed = number, time

    def place(self, pts: int | None) -> int | None:
        """Return the time of the next picture to show, ``pts`` where it has one; ``None`` before the first."""
        if pts is not None:
            self._last = Fraction(pts)
        elif self._last is not None:
            self._last += self._step or self._nominal_step
        return None if self._last is None else round(self._last)

    @property
    def _nominal_step(self) -> Fraction:
        rate = self._stream.codec_context.framerate or self._stream.guessed_rate or Fraction(30)
        return 1 / (Fraction(rate) * TIME_BASE)
