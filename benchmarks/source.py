"""The stream that every contender is given: a real clip at 720p and 30 fps, encoded once and looped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import cast

from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.media.clip import read_clip
from byoc_kit.media.demux import MediaError, open_clip
from byoc_kit.media.encode import TIME_BASE
from byoc_kit.media.picture import DecodedPicture
from byoc_kit.media.ts_muxer import TransportMuxer

WIDTH, HEIGHT = 1280, 720
RATE = 30
PTS_PER_PICTURE = 90_000 // RATE
_FIRST_PTS = 90_000
# As a gateway sends live video: no B-frames, and a group of pictures, so a segment, each second.
_X264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "forced-idr": "1"}


@dataclass(frozen=True)
class SourcePicture:
    """One picture as MPEG-TS packets, with the tables before it where it begins a segment; ``pts`` in 1/90000 s.

    ``audio`` is what comes between the picture before and this one.
    """

    pts: int
    begins_segment: bool
    data: bytes
    audio: bytes = b""


def make_source(clip: Path, *, seconds: float, with_audio: bool = False) -> list[SourcePicture]:
    """Return ``seconds`` of a clip's pictures, 30 to the second whatever its own rate, and its sound if wanted.

    The clip is looped, the pictures at a whole second, with times that run on. Raises
    ``MediaError``, naming it, where it is missing or has no video, or no sound.
    """
    wanted = round(seconds * RATE)
    with TransportMuxer() as muxer:
        video = muxer.add_video(_add_video)
        audio = _audio(clip, muxer) if with_audio else []
        loop = _encode(clip, video, wanted)
        pictures = [_mux(muxer, video, loop[number % len(loop)], number) for number in range(wanted)]
        audio_frames = _mux_audio(muxer, audio, wanted)
    return [replace(picture, audio=audio_frames[number]) for number, picture in enumerate(pictures)]


def _add_video(output: OutputContainer) -> VideoStream:
    video = cast("VideoStream", output.add_stream("libx264", rate=RATE, options=_X264))
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.codec_context.gop_size = 10 * RATE  # the key frames are where _encode says
    return video


def _encode(clip: Path, video: VideoStream, wanted: int) -> list[Packet]:
    packets: list[Packet] = []
    for number, frame in enumerate(islice(read_clip(clip), wanted)):
        assert isinstance(frame.origin, DecodedPicture)  # noqa: S101  # that of a clip
        picture = frame.origin.frame.reformat(width=WIDTH, height=HEIGHT, format="yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, RATE)
        picture.pict_type = PictureType.NONE if number % RATE else PictureType.I
        packets += video.encode(picture)
    packets += video.encode(None)
    whole_seconds = len(packets) // RATE * RATE
    return packets[: whole_seconds or len(packets)]


def _audio(clip: Path, muxer: TransportMuxer) -> list[Packet]:
    with open_clip(clip) as source:
        if not source.streams.audio:
            msg = f"{clip} has no sound; give another clip, or name with --only the contenders that need none"
            raise MediaError(msg)
        stream = muxer.add_copy(source.streams.audio[0])
        packets = [packet for packet in source.demux(source.streams.audio[0]) if packet.size]
    for packet in packets:
        packet.stream = stream
    return packets


def _mux(muxer: TransportMuxer, video: VideoStream, packet: Packet, number: int) -> SourcePicture:
    pts = _FIRST_PTS + number * PTS_PER_PICTURE
    packet.stream, packet.pts, packet.dts, packet.time_base = video, pts, pts, TIME_BASE
    return SourcePicture(pts, packet.is_keyframe, muxer.mux(packet))


def _mux_audio(muxer: TransportMuxer, packets: Sequence[Packet], pictures: int) -> dict[int, bytes]:
    """Return the sound by the number of the picture that comes behind it."""
    audio_frames: dict[int, bytes] = defaultdict(bytes)
    durations = [(packet.duration or 0) * (packet.time_base or TIME_BASE) for packet in packets]
    time_s = Fraction(0)
    for packet, duration_s in cycle(zip(packets, durations, strict=True)):
        number = int(time_s * RATE) + 1
        if number >= pictures:
            break
        packet.pts = packet.dts = _FIRST_PTS + round(time_s / TIME_BASE)
        packet.time_base = TIME_BASE
        audio_frames[number] += muxer.mux(packet)
        time_s += duration_s
    return audio_frames
