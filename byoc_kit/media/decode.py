"""Opens live MPEG-TS, and wraps a decoded picture as a frame."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import ByocKitError
from byoc_kit.media.picture import DecodedPicture

# Without a parser the demuxer hands a frame on when its PES packet ends, not when the next begins (one frame less
# latency: a trickle publisher sends one picture a PES packet). Probing the frame rate would hold back the first 0.6 s
# of a 25 fps stream, and the bounded probe keeps the first picture from waiting for more.
LOW_LATENCY = {"fflags": "noparse", "fpsprobesize": "2", "probesize": "200000", "analyzeduration": "500000"}


class MediaError(ByocKitError):
    """A file or stream that is no video this kit can read."""


class ByteReader(Protocol):
    """What PyAV reads from: blocks until there is something, ``b""`` at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes."""
        ...


def avoid_slice_threads(container: InputContainer) -> InputContainer:
    """Keep HEVC off slice threads, before its first packet; returns the container.

    FFmpeg 7.1's slice threads wait for each other for ever in wavefront-parallel (WPP) pictures, which x265 writes by
    default: 4 of 6 readings of a clip hung. On two cores one thread takes 5 to 8 ms for a 720p picture, slice threads
    12; frame threads take 9, and hold a picture more.
    """
    for stream in container.streams.video:
        if stream.codec_context is not None and stream.codec_context.name == "hevc":
            stream.codec_context.thread_count = 1
    return container


def open_stream(reader: ByteReader, *, parses: bool = False, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open live MPEG-TS; blocks until the first picture's packet is there.

    ``parses``: pictures come a frame later, but the stream may begin in the middle of one that is cut. Raises
    ``MediaError``.
    """
    options = {name: value for name, value in LOW_LATENCY.items() if not (parses and name == "fflags")}
    try:
        # Not as `options`: PyAV 14.2 frees memory that is not its own where a stream appears while it probes.
        container = av.open(reader, mode="r", format="mpegts", container_options=options, hwaccel=hwaccel)
    except av.FFmpegError as error:
        msg = f"the input is no MPEG-TS stream ({error.strerror})"
        raise MediaError(msg) from error
    return avoid_slice_threads(container)


def to_video_frame(frame: av.VideoFrame, decoder: VideoCodecContext | None = None) -> VideoFrame:
    """Wrap a decoded picture with its own time; ``decoder`` knows its colours in full."""
    picture = DecodedPicture.of(frame, decoder)
    return VideoFrame(None, frame.pts or 0, frame.time_base or Fraction(1, 90_000), origin=picture)
