"""Opens video files and live MPEG-TS with libav: the stream that a player shows, its packets, and their pictures.

A file may be damaged: what cannot be read or decoded is skipped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from byoc_kit.errors import ByocKitError

logger = logging.getLogger(__name__)

# Without a parser, the demuxer passes a frame on when its PES packet ends, not when the next begins. That is one frame
# less latency, as trickle publishers send one picture per PES packet. Probing the frame rate would hold back the first
# 0.6 s of a 25 fps stream, and an unbounded probe would make the first picture wait for others.
LOW_LATENCY = {"fflags": "noparse", "fpsprobesize": "2", "probesize": "200000", "analyzeduration": "500000"}

_CAN_SKIP = {"h264", "hevc", "mpeg2video", "mpeg4"}  # from the next picture on; other decoders only from their start
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails


class MediaError(ByocKitError):
    """A file or stream is not a video that byoc-kit can read."""


class DamageError(Exception):
    """A packet cannot be decoded, and earlier pictures may be lost with it, since several are decoded at once."""


class ByteReader(Protocol):
    """What PyAV reads from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; blocks until there are some. ``b""`` is the end."""
        ...


def open_clip(path: Path | str, *, is_quick: bool = False) -> InputContainer:
    """Open a video file. Raises ``MediaError`` if it is missing or has no video.

    With ``is_quick``, several pictures are decoded at once.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"there is no clip {path}; give the path of a video file"
        raise MediaError(msg)
    if not path.stat().st_size:
        msg = f"{path} is empty; give the path of a video file"
        raise MediaError(msg)
    try:
        # libav takes text before a colon for a protocol, and %d in a picture's name for a series of pictures.
        container = av.open(str(path.absolute()), container_options={"pattern_type": "none"})
    except PermissionError as error:
        msg = f"{path} may not be read ({error.strerror}); change its permissions, or give another file"
        raise MediaError(msg) from error
    except av.FFmpegError as error:
        msg = f"{path} is no video file, or damaged at its start ({error.strerror}); give the path of another"
        raise MediaError(msg) from error
    try:
        video = video_stream(container, str(path))
    except MediaError:
        container.close()
        raise
    if is_quick:
        video.codec_context.thread_type = "FRAME" if video.codec_context.name == "hevc" else "AUTO"
        return container
    return avoid_slice_threads(container)


def open_stream(reader: ByteReader, *, parses: bool = False, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open live MPEG-TS. Blocks until the packet of the first picture has come. Raises ``MediaError``.

    With ``parses``, pictures come a frame later, but the stream may begin in the middle of a picture.
    """
    options = {name: value for name, value in LOW_LATENCY.items() if not (parses and name == "fflags")}
    try:
        # With `options`, PyAV 14.2 would free memory that is not its own if a stream appears while it probes.
        container = av.open(reader, mode="r", format="mpegts", container_options=options, hwaccel=hwaccel)
    except av.FFmpegError as error:
        msg = f"the input is no MPEG-TS stream ({error.strerror})"
        raise MediaError(msg) from error
    return avoid_slice_threads(container)


def avoid_slice_threads(container: InputContainer) -> InputContainer:
    """Turn slice threads off for HEVC, and return the container. Call it before the first packet.

    In wavefront-parallel (WPP) pictures, which x265 writes by default, FFmpeg 7.1's slice threads can wait for each
    other for ever: 4 of 6 readings of a clip hung. On two cores, one thread takes 5 to 8 ms for a 720p picture and
    slice threads 12 ms; frame threads take 9 ms, and hold one more picture.
    """
    for stream in container.streams.video:
        if stream.codec_context is not None and stream.codec_context.name == "hevc":
            stream.codec_context.thread_count = 1
    return container


def video_stream(container: InputContainer, name: str | None = None) -> VideoStream:
    """Return the video that a player shows: not a cover picture, and of several videos the one libav calls the best.

    Raises ``MediaError``, with ``name`` for the container, if there is none that can be decoded.
    """
    name = name or container.name
    videos = [stream for stream in container.streams.video if not stream.disposition & _STILLS]
    if not videos:
        has = "a cover picture, but no video stream" if container.streams.video else "no video stream"
        msg = f"{name} has {has}; give a file with one"
        raise MediaError(msg)
    known = [stream for stream in videos if stream.codec_context is not None]
    if not known:
        msg = f"{name} has video of a codec that is not known here; convert it to H.264"
        raise MediaError(msg)
    best = container.streams.best("video")
    return next((stream for stream in known if stream is best), known[0])


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """Return the decoder of a video."""
    assert isinstance(stream.codec_context, VideoCodecContext)  # noqa: S101  # that of a video stream
    return stream.codec_context


def readable(container: InputContainer, *streams: VideoStream | AudioStream) -> Iterator[Packet]:
    """Yield the packets of some streams, as far as the file can be read."""
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except av.FFmpegError as error:
        logger.info("%s cannot be read to its end: %s", container.name, error.strerror)
    except IndexError:
        return  # PyAV raises this at the end of a file in which a stream began late


def decoded(
    stream: VideoStream,
    packets: Iterable[Packet],
    *,
    wanted: int | None = None,
    on_damage: Callable[[], object] | None = None,
) -> Iterator[av.VideoFrame]:
    """Yield the pictures of a video's packets. ``on_damage`` is called for each packet that cannot be decoded.

    Before the time ``wanted``, pictures that no other refers to may be left out. If the video was opened with
    ``is_quick``, a packet that cannot be decoded raises ``DamageError``: the error then comes late, and PyAV loses the
    pictures that came with it.
    """
    decoder = decoder_of(stream)
    skips = wanted is not None and decoder.name in _CAN_SKIP
    for packet in _with_end(stream, packets):
        if skips and wanted is not None:
            is_before = packet.pts is not None and packet.pts < wanted
            decoder.skip_frame = "NONREF" if is_before else "DEFAULT"
        try:
            pictures = packet.decode()
        except av.FFmpegError as error:
            logger.debug("%s: a picture cannot be decoded: %s", stream.container.name, error.strerror)
            if _is_quick(decoder):
                raise DamageError from error
            if on_damage is not None:
                on_damage()
            continue
        for picture in pictures:
            if isinstance(picture, av.VideoFrame):
                yield picture


def _is_quick(decoder: VideoCodecContext) -> bool:
    return decoder.thread_count != 1 and bool(decoder.thread_type & ThreadType.FRAME)


def _with_end(stream: VideoStream, packets: Iterable[Packet]) -> Iterator[Packet]:
    yield from packets
    end = Packet()  # an empty one flushes the decoder
    end.stream, end.time_base = stream, stream.time_base or Fraction(1, 90_000)
    yield end
