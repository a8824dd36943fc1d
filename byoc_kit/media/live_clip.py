"""A clip as the MPEG-TS chunks that a live publisher would send, each with its time."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.media.mux import TransportMuxer
from byoc_kit.media.settings import MediaSettings
from byoc_kit.media.video_file import open_clip

# Codecs that MPEG-TS carries as they are; a clip of another is encoded once, before it is sent.
_CARRIED = {"h264", "hevc", "mpeg2video"}
# Negative decode times have no place in MPEG-TS.
_OFFSET_S = 1


@dataclass(frozen=True)
class Chunk:
    """Bytes to send at ``time_s`` after the first; ``begins_segment`` marks the start of a group of pictures."""

    time_s: float
    begins_segment: bool
    data: bytes


@dataclass
class LiveClip:
    """A clip ready to be sent. ``picture_times_s`` says when each picture, by its pts in 1/90000 s, is due."""

    chunks: list[Chunk] = field(default_factory=list)
    picture_times_s: dict[int, float] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def duration_s(self) -> float:
        """When the last chunk is due."""
        return max((chunk.time_s for chunk in self.chunks), default=0.0)

    def until(self, time_s: float) -> LiveClip:
        """Return what is due before ``time_s``."""
        pictures = {pts: due_s for pts, due_s in self.picture_times_s.items() if due_s < time_s}
        return LiveClip([chunk for chunk in self.chunks if chunk.time_s < time_s], pictures)


def live_clip(path: Path) -> LiveClip:
    """Read a clip, its pictures and sound untouched where MPEG-TS can carry the codec, else encoded without sound.

    Raises :class:`~byoc_kit.media.decode.MediaError` for a file without video.
    """
    clip = LiveClip()
    with open_clip(path) as source:
        is_carried = source.streams.video[0].codec_context.name in _CARRIED
        fill = _copy if is_carried else _encode
        fill(source, clip)
    return clip


def _copy(source: InputContainer, clip: LiveClip) -> None:
    video = source.streams.video[0]
    with TransportMuxer({"output_ts_offset": str(_OFFSET_S)}) as muxer:
        outputs: dict[Stream, Stream] = {stream: muxer.add_copy(stream) for stream in _chosen(source)}
        first_s: Fraction | None = None
        for packet in source.demux(*outputs):
            if packet.dts is None or packet.time_base is None:
                continue
            time_s = packet.dts * packet.time_base
            first_s = time_s if first_s is None else first_s
            due_s = float(time_s - first_s)
            if packet.stream is video:
                pts = packet.dts if packet.pts is None else packet.pts
                clip.picture_times_s[round((pts * packet.time_base + _OFFSET_S) / TIME_BASE)] = due_s
            begins_segment = packet.stream is video and packet.is_keyframe
            packet.stream = outputs[packet.stream]
            data = muxer.mux(packet)
            if begins_segment or clip.chunks:  # sound from before the first picture belongs to no segment
                clip.chunks.append(Chunk(due_s, begins_segment, data))


def _encode(source: InputContainer, clip: LiveClip) -> None:
    rate = source.streams.video[0].average_rate or Fraction(30)
    output = _Chunks(clip.chunks)
    with SegmentWriter(output, rate=rate, settings=MediaSettings(gop_s=1.0)) as writer:
        first_s: float | None = None
        for picture in source.decode(video=0):
            frame = to_video_frame(picture)
            first_s = frame.time_s if first_s is None else first_s
            output.due_s = frame.time_s - first_s
            clip.picture_times_s[round(frame.pts * frame.time_base / TIME_BASE)] = output.due_s
            writer.write_frame(frame)


class _Chunks:
    """Takes segments as chunks that are due at ``due_s``."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self.due_s = 0.0
        self._chunks = chunks
        self._begins_segment = False

    def begin_segment(self) -> None:
        self._begins_segment = True

    def write(self, data: bytes, /) -> None:
        self._chunks.append(Chunk(self.due_s, self._begins_segment, data))
        self._begins_segment = False


def save_mp4(data: bytes, path: Path) -> None:
    """Put the first video and sound of MPEG-TS bytes into an MP4 file, untouched, so that a browser plays it."""
    with (
        av.open(io.BytesIO(data), mode="r", format="mpegts") as source,
        av.open(str(path), mode="w", options={"movflags": "faststart"}) as target,
    ):
        outputs: dict[Stream, Stream] = {stream: target.add_stream_from_template(stream) for stream in _chosen(source)}
        for packet in source.demux(*outputs):
            if packet.dts is not None:
                packet.stream = outputs[packet.stream]
                target.mux(packet)


def _chosen(source: InputContainer) -> list[VideoStream | AudioStream]:
    """Return the first video and sound."""
    return [*source.streams.video[:1], *source.streams.audio[:1]]
