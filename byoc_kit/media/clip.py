"""A clip as the MPEG-TS chunks that a live publisher would send, each with its time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from byoc_kit.media.decode import open_clip, to_video_frame
from byoc_kit.media.encode import MUXER_OPTIONS, TIME_BASE, SegmentWriter

# Codecs that MPEG-TS carries as they are; a clip of another is encoded once, before it is sent.
_CARRIED = {"h264", "hevc", "mpeg2video"}
# Negative decode times have no place in MPEG-TS.
_OFFSET_S = 1


@dataclass(frozen=True)
class Chunk:
    """What is sent at one moment.

    ``time_s`` counts from the first chunk; ``begins_segment`` marks a group of pictures; ``video_pts``, in 1/90000 s,
    is that of the picture in it, ``None`` for sound.
    """

    time_s: float
    begins_segment: bool
    video_pts: int | None
    data: bytes


class _Sink:
    """Takes the muxer's bytes."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data, self.parts = b"".join(self.parts), []
        return data


def clip_chunks(path: Path) -> list[Chunk]:
    """Turn a clip into chunks, its pictures and sound untouched where MPEG-TS can carry the codec.

    Raises :class:`~byoc_kit.media.decode.MediaError` for a file without video.
    """
    source = open_clip(path)
    is_carried = source.streams.video[0].codec_context.name in _CARRIED
    try:
        return list(_copied(source) if is_carried else _encoded(source))
    finally:
        source.close()


def _copied(source: InputContainer) -> Iterator[Chunk]:
    sink = _Sink()
    options = {**MUXER_OPTIONS, "output_ts_offset": str(_OFFSET_S)}
    video = source.streams.video[0]
    with av.open(sink, mode="w", format="mpegts", options=options) as target:
        outputs = _same_streams(source, target)
        first_s: Fraction | None = None
        for packet in source.demux(*outputs):
            if packet.dts is None or packet.time_base is None:
                continue
            time_s = packet.dts * packet.time_base
            first_s = time_s if first_s is None else first_s
            is_video = packet.stream is video
            pts = (
                round((packet.dts if packet.pts is None else packet.pts) * packet.time_base / TIME_BASE)
                + _OFFSET_S * 90_000
            )
            packet.stream = outputs[packet.stream]
            target.mux(packet)
            yield Chunk(
                float(time_s - first_s), is_video and packet.is_keyframe, pts if is_video else None, sink.take()
            )


def _encoded(source: InputContainer) -> Iterator[Chunk]:
    marks: list[bool] = []
    sink = _Sink()
    rate = source.streams.video[0].average_rate or Fraction(30)
    with SegmentWriter(lambda: marks.append(True), sink.parts.append, rate=rate) as writer:
        first_s: float | None = None
        for picture in source.decode(video=0):
            frame = to_video_frame(picture)
            first_s = frame.time_s if first_s is None else first_s
            writer.write_frame(frame)
            pts = round(frame.pts * frame.time_base / TIME_BASE)
            yield Chunk(frame.time_s - first_s, bool(marks), pts, sink.take())
            marks.clear()


def save_mp4(data: bytes, path: Path) -> None:
    """Put the first video and sound of MPEG-TS bytes into an MP4 file, untouched, so that a browser plays it."""
    with (
        av.open(io.BytesIO(data), mode="r", format="mpegts") as source,
        av.open(str(path), mode="w", options={"movflags": "faststart"}) as target,
    ):
        outputs = _same_streams(source, target)
        for packet in source.demux(*outputs):
            if packet.dts is not None:
                packet.stream = outputs[packet.stream]
                target.mux(packet)


def _same_streams(source: InputContainer, target: OutputContainer) -> dict[Stream, Stream]:
    """Make streams in ``target`` for the first video and sound of ``source``."""
    chosen: list[VideoStream | AudioStream] = [*source.streams.video[:1], *source.streams.audio[:1]]
    return {stream: target.add_stream_from_template(stream) for stream in chosen}
