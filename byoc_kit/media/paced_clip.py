"""Turns a clip into the MPEG-TS chunks that a live publisher would send, each with its time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import zip_longest
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.media.clip import Clip
from byoc_kit.media.codecs import TIME_BASE, set_up
from byoc_kit.media.demux import MediaError, open_clip, readable, video_stream
from byoc_kit.media.picture import DecodedPicture, pixels_to_yuv444p
from byoc_kit.media.ts_muxer import TransportMuxer

logger = logging.getLogger(__name__)

# Codecs that MPEG-TS carries as they are, and that receivers know.
_CARRIED = {"h264", "hevc", "mpeg2video"}
_CARRIED_AUDIO = {"aac", "mp2", "mp3", "ac3", "eac3", "opus"}
_SECOND = 90_000  # of the time base of MPEG-TS
_FIRST_PTS = _SECOND  # decode times, which are earlier, must not be negative
_SAME_S = 0.002  # two times are the same if they differ by less: some files count in milliseconds
_LOSSLESS = {"qp": "0", "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}


@dataclass(frozen=True)
class Chunk:
    """Bytes to be sent ``time_s`` after the first ones. ``begins_segment`` marks the start of a group of pictures."""

    time_s: float
    begins_segment: bool
    data: bytes


@dataclass
class LiveClip:
    """A clip ready to be sent. ``picture_times_s`` has when each picture is due, by its pts in 1/90000 s.

    ``notes`` say for people how it differs from the file.
    """

    chunks: list[Chunk] = field(default_factory=list)
    picture_times_s: dict[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def duration_s(self) -> float:
        """When the last chunk is due, in seconds."""
        return max((chunk.time_s for chunk in self.chunks), default=0.0)

    def until(self, time_s: float) -> LiveClip:
        """Return the part that is due before ``time_s``."""
        pictures = {pts: due_s for pts, due_s in self.picture_times_s.items() if due_s < time_s}
        return replace(self, chunks=[chunk for chunk in self.chunks if chunk.time_s < time_s], picture_times_s=pictures)

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Provide the stream as a file while the body runs."""
        with NamedTemporaryFile(prefix="byoc-kit-", suffix=".ts") as file:
            file.writelines(chunk.data for chunk in self.chunks)
            file.flush()
            yield Path(file.name)

    def frames(self) -> Iterator[VideoFrame]:
        """Yield the frames that a receiver sees if nothing is lost, with their pts in 1/90000 s."""
        with self.file() as file:
            yield from Clip(file, on_damage=logger.debug).frames()


def live_clip(path: Path) -> LiveClip:
    """Return a clip ready to be sent, so that a receiver sees exactly the frames that ``Clip`` has.

    If MPEG-TS can carry its packets, and they decode to the same frames, they are copied. Otherwise its frames are
    encoded again, losslessly. Sound is copied, or left out. Raises ``MediaError`` for a file without video.
    """
    clip = Clip(path, on_damage=logger.debug)  # the notes tell of damage
    with open_clip(path) as source:
        codec = _codec_of(video_stream(source))
        copied = _copied(source, clip) if codec in _CARRIED and clip.has_own_times else None
    live = copied or _encoded(path, clip)
    notes = () if copied else (_why_encoded(clip, codec),)
    return replace(live, notes=(*notes, *_further_notes(path, clip)))


def _why_encoded(clip: Clip, codec: str) -> str:
    if codec not in _CARRIED:
        why = f"MPEG-TS does not carry {codec}"
    elif not clip.has_own_times:
        why = "the file has no times"
    elif clip.damaged:
        why = "packets of the file are damaged"
    else:
        why = "MPEG-TS does not carry what turns, crops or cuts them"
    return f"{clip.name}: its frames are encoded again, losslessly, since {why}"


def _copied(source: InputContainer, clip: Clip) -> LiveClip | None:
    """Return the clip's own packets, or ``None`` if they do not decode to the clip's frames."""
    video, audio = video_stream(source), _audio(source)
    streams: list[VideoStream | AudioStream] = [video] if audio is None else [video, audio]
    packets = list(readable(source, *streams))
    pictures = [packet for packet in packets if packet.stream is video]
    times = {packet.pts for packet in pictures}
    if None in times or len(times) < len(pictures) or any(packet.is_discard for packet in pictures):
        return None
    for packet in packets:
        _move(packet, clip)
    _set_decode_times(pictures)
    try:
        with TransportMuxer() as muxer:
            copies: dict[Stream, Stream] = {stream: muxer.add_copy(stream) for stream in streams}
            for packet in packets:
                packet.stream = copies[packet.stream]
            live = _chunked(muxer, packets)
    except av.FFmpegError as error:
        logger.info("%s: its packets cannot be sent as they are: %s", clip.name, error.strerror)
        return None
    return live if _shows(live, clip) else None


def _encoded(path: Path, clip: Clip) -> LiveClip:
    """Return the clip's frames, encoded losslessly, with its own sound."""
    with TransportMuxer() as muxer:
        packets = _encode(muxer, clip)
        with open_clip(path) as source:
            if (audio := _audio(source)) is not None:
                copy = muxer.add_copy(audio)
                for packet in readable(source, audio):
                    _move(packet, clip)
                    packet.stream = copy
                    packets.append(packet)
        return _chunked(muxer, packets)


def _encode(muxer: TransportMuxer, clip: Clip) -> list[Packet]:
    packets: list[Packet] = []
    video: VideoStream | None = None
    key_pts = 0
    for frame in clip.frames():
        assert isinstance(frame.origin, DecodedPicture)  # noqa: S101  # that of a clip
        if video is None:
            first = frame.origin
            rate = Fraction(clip.fps).limit_denominator(1001)
            video = muxer.add_video(partial(_add_lossless, picture=first, rate=rate))
        picture = _to_send(frame.origin.resized(first.width, first.height))
        picture.pts, picture.time_base = _sent_pts(frame.pts * frame.time_base, clip), TIME_BASE
        is_key = not packets or picture.pts >= key_pts + _SECOND
        key_pts = picture.pts if is_key else key_pts
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        packets += video.encode(picture)
    assert video is not None  # noqa: S101  # a clip has a frame
    return [*packets, *video.encode(None)]


def _add_lossless(output: OutputContainer, *, picture: DecodedPicture, rate: Fraction) -> VideoStream:
    video = cast("VideoStream", output.add_stream("libx264", rate=rate, options=_LOSSLESS))
    format_ = _to_send(picture).format.name
    set_up(video.codec_context, width=picture.width, height=picture.height, format=format_, display=picture.display)
    video.codec_context.open()
    return video


def _to_send(picture: DecodedPicture) -> av.VideoFrame:
    """Return a picture to be encoded: 8-bit 4:2:0 unchanged, everything else as the 4:4:4 of its pixels."""
    name = picture.frame.format.name
    if name == picture.display.encoded_format and picture.width % 2 == picture.height % 2 == 0:
        return picture.to_yuv420p()
    return pixels_to_yuv444p(picture.to_pixels(), picture.display)


def _sent_pts(time_s: Fraction, clip: Clip) -> int:
    return _FIRST_PTS + round((time_s - clip.times[0] * clip.time_base) / TIME_BASE)


def _move(packet: Packet, clip: Clip) -> None:
    """Give a packet the times with which it is sent."""
    unit, pts, dts = packet.time_base or TIME_BASE, packet.pts, packet.pts if packet.dts is None else packet.dts
    packet.pts = None if pts is None else _sent_pts(pts * unit, clip)
    packet.dts = None if dts is None else _sent_pts(dts * unit, clip)
    packet.time_base = TIME_BASE


def _set_decode_times(pictures: list[Packet]) -> None:
    """Give pictures, which are in decoding order, the latest possible decode times; not every file has any.

    If decoding runs ahead by N pictures, each decode time is the presentation time of the picture N places before.
    """
    times = sorted(map(_pts, pictures))
    rank = {pts: place for place, pts in enumerate(times)}
    ahead = max(place - rank[_pts(packet)] for place, packet in enumerate(pictures))
    step = max(1, (times[-1] - times[0]) // max(1, len(times) - 1))
    decode_times = [times[0] - step * before for before in range(ahead, 0, -1)] + times
    for packet, dts in zip(pictures, decode_times, strict=False):
        packet.dts = dts


def _chunked(muxer: TransportMuxer, packets: list[Packet]) -> LiveClip:
    """Mux packets in the order of their decode times, at which they are due."""
    live = LiveClip()
    timed = sorted((packet for packet in packets if packet.dts is not None and packet.dts >= 0), key=_dts)
    first = next(_dts(packet) for packet in timed if isinstance(packet.stream, VideoStream))
    for packet in timed:
        is_picture = isinstance(packet.stream, VideoStream)
        begins_segment = is_picture and packet.is_keyframe
        due_s = (_dts(packet) - first) / _SECOND
        if begins_segment or live.chunks:  # sound before the first picture belongs to no segment
            if is_picture:
                live.picture_times_s[_pts(packet)] = due_s
            live.chunks.append(Chunk(due_s, begins_segment, muxer.mux(packet)))
    return live


def _pts(packet: Packet) -> int:
    assert packet.pts is not None  # noqa: S101  # a clip with pictures without one is encoded
    return packet.pts


def _dts(packet: Packet) -> int:
    assert packet.dts is not None  # noqa: S101  # it was given one
    return packet.dts


def _shows(live: LiveClip, clip: Clip) -> bool:
    """Whether a receiver sees the clip's frames, each at its time."""
    with live.file() as file:
        try:
            sent = Clip(file, on_damage=logger.debug)
        except MediaError:
            return False
        if sent.count != clip.count or any(time not in live.picture_times_s for time in sent.times):
            return False
        pairs = zip_longest(clip.frames(), sent.frames())
        return all(one is not None and other is not None and _is_same(one, other, clip, sent) for one, other in pairs)


def _is_same(one: VideoFrame, other: VideoFrame, clip: Clip, sent: Clip) -> bool:
    assert isinstance(one.origin, DecodedPicture)  # noqa: S101  # that of a clip
    assert isinstance(other.origin, DecodedPicture)  # noqa: S101
    times = ((frame.pts - of.times[0]) * frame.time_base for frame, of in ((one, clip), (other, sent)))
    if one.origin.display != other.origin.display or abs(next(times) - next(times)) > _SAME_S:
        return False
    planes = zip_longest(_planes(one.origin.frame), _planes(other.origin.frame))
    return all(np.array_equal(plane, sent_plane) for plane, sent_plane in planes)


def _planes(picture: av.VideoFrame) -> Iterator[Pixels]:
    """Yield the bytes of each plane, without padding. The codecs of ``_CARRIED`` have planar formats only."""
    bytes_each = 1 + (picture.format.components[0].bits > 8)
    for plane in picture.planes:
        yield np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width * bytes_each
        ]


def _codec_of(stream: VideoStream | AudioStream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _audio(source: InputContainer) -> AudioStream | None:
    """Return the sound that a player chooses among those that MPEG-TS carries."""
    carried = [s for s in source.streams.audio if s.codec_context is not None and _codec_of(s) in _CARRIED_AUDIO]
    best = source.streams.best("audio")
    return next((stream for stream in carried if stream is best), carried[0] if carried else None)


def _further_notes(path: Path, clip: Clip) -> Iterator[str]:
    with open_clip(path) as source:
        if source.streams.audio and _audio(source) is None:
            yield f"{clip.name}: its sound is not sent, since MPEG-TS does not carry the codec"
    display = cast("DecodedPicture", next(clip.frames()).origin).display
    if display.pixel_aspect != 1:
        shape = display.pixel_shape
        yield f"{clip.name}: its pixels are {shape}, not square; process_frame gets them as they are stored"
    if clip.damaged:
        yield f"{clip.name}: frames that cannot be decoded are left out ({clip.damaged})"
