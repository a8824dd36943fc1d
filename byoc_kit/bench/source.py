"""The stream that every contender is given: a real clip at 720p and 30 fps, encoded once and looped."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import cast

import av
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.media.decode import MediaError, open_clip
from byoc_kit.media.encode import MUXER_OPTIONS

WIDTH, HEIGHT = 1280, 720
RATE = 30
PTS_PER_PICTURE = 90_000 // RATE
_FIRST_PTS = 90_000
_MUXER_TIME_BASE = Fraction(1, 90_000)
# As a gateway sends live video: no B-frames, and a group of pictures, so a segment, each second.
_X264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "forced-idr": "1"}


@dataclass(frozen=True)
class SourcePicture:
    """One picture as MPEG-TS packets, with the tables before it where it begins a segment; ``pts`` in 1/90000 s."""

    pts: int
    begins_segment: bool
    data: bytes


def make_source(clip: Path, *, seconds: float) -> list[SourcePicture]:
    """Return ``seconds`` of a clip's pictures, 30 to the second whatever its own rate, without sound.

    The clip is looped, at a whole second, with times that run on. Raises
    :class:`~byoc_kit.media.decode.MediaError`, naming it, where it is missing, damaged or no video.
    """
    wanted = round(seconds * RATE)
    sink = _Sink()
    pictures: list[SourcePicture] = []
    with av.open(sink, mode="w", format="mpegts", options=MUXER_OPTIONS) as target:
        video = _add_stream(target)
        loop = _encode(clip, video, wanted)
        pictures.extend(_mux(target, sink, video, loop[number % len(loop)], number) for number in range(wanted))
    return pictures


def _add_stream(target: av.container.OutputContainer) -> VideoStream:
    video = cast("VideoStream", target.add_stream("libx264", rate=RATE, options=_X264))
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.codec_context.gop_size = 10 * RATE  # the key frames are where _encode says
    return video


def _encode(clip: Path, video: VideoStream, wanted: int) -> list[Packet]:
    packets: list[Packet] = []
    try:
        with open_clip(clip) as source:
            for number, decoded in enumerate(islice(source.decode(video=0), wanted)):
                picture = decoded.reformat(width=WIDTH, height=HEIGHT, format="yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, RATE)
                picture.pict_type = PictureType.NONE if number % RATE else PictureType.I
                packets += video.encode(picture)
    except av.FFmpegError as error:
        msg = f"{clip} is damaged: a picture of it cannot be decoded ({error})"
        raise MediaError(msg) from error
    packets += video.encode(None)
    if not packets:
        msg = f"{clip} has no picture; give a video file"
        raise MediaError(msg)
    whole_seconds = len(packets) // RATE * RATE
    return packets[: whole_seconds or len(packets)]


def _mux(
    target: av.container.OutputContainer, sink: _Sink, video: VideoStream, packet: Packet, number: int
) -> SourcePicture:
    pts = _FIRST_PTS + number * PTS_PER_PICTURE
    packet.stream, packet.pts, packet.dts, packet.time_base = video, pts, pts, _MUXER_TIME_BASE
    target.mux(packet)
    return SourcePicture(pts, packet.is_keyframe, sink.take())


class _Sink:
    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data
