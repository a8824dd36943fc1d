"""Writes MP4 files that a browser plays: of pictures, or of a live stream's packets."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.core.pixels import FrameError, Pixels
from byoc_kit.media.codecs import TIME_BASE, MediaSettings, encoder_options, set_up
from byoc_kit.media.picture import DecodedPicture, DisplayInfo, pixels_to_yuv420p

# Without these, one browser shows an MP4 with BT.709 and another with BT.601 (H.273: 1 is BT.709).
_DISPLAY = DisplayInfo(matrix=1, primaries=1, transfer=1)
# Each picture is on disk when the next one comes.
_GROWING = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
_WHOLE = {"movflags": "faststart"}
_KEY_FRAME_S = 1


class Mp4Writer:
    """Writes pictures to ``path``, each with its own time, as H.264 in 4:2:0.

    Pictures are scaled to the size of the first. Odd sizes lose their last row or column, since 4:2:0 video has even
    sides. While it grows, the file is fragmented: if the process ends early, it plays up to the last picture but one.
    ``close`` puts its index first. The file must not exist. Writing raises ``OSError`` or PyAV's errors.
    """

    def __init__(self, path: Path, *, rate: Fraction) -> None:
        self.path = path
        self.last_pts: int | None = None
        self._rate = rate
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._last: av.VideoFrame | None = None
        self._last_key = 0
        self._muxed = 0
        self._audio_bytes = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and pixels per row of the first picture."""
        width, height = self._size
        return height, width

    def write(self, pixels: Pixels, pts: int) -> None:
        """Add a uint8 ``[H, W, 3]`` picture at ``pts``, which is in 1/90000 s and later than the last one.

        Raises ``FrameError`` for a picture of less than 2x2 pixels.
        """
        height, width = (side // 2 * 2 for side in pixels.shape[:2])
        if 0 in (height, width):
            msg = f"{pixels.shape[1]}x{pixels.shape[0]} is no size for video; return at least 2 pixels a side"
            raise FrameError(msg)
        if self._container is None:
            self._open(width, height)
        picture = pixels_to_yuv420p(np.ascontiguousarray(pixels[:height, :width]), _DISPLAY)
        self._last = DecodedPicture(picture, _DISPLAY).resized(*self._size).frame
        self._encode(pts)

    def hold(self, pts: int) -> None:
        """Show the last picture until ``pts``, if that is later."""
        if self.last_pts is not None and self.last_pts < pts:
            self._encode(pts)

    def close(self) -> None:
        """End the file, and put its index first."""
        if self._container is None:
            return
        assert self._stream is not None  # noqa: S101  # opened with the container
        container, self._container = self._container, None
        try:
            self._mux(container, self._stream.encode(None))
        finally:
            container.close()
        _put_index_first(self.path)

    def abandon(self) -> None:
        """End the file with what it has, after an error. A file without a whole picture is removed."""
        container, self._container = self._container, None
        try:
            if container is not None:
                container.close()
        except (av.FFmpegError, OSError):
            pass  # the caller already has the error that led here
        finally:
            if self._muxed < 2:  # the first picture is written when the second comes
                self.path.unlink(missing_ok=True)
            else:
                os.truncate(self.path, self._audio_bytes)

    def _open(self, width: int, height: int) -> None:
        container = av.open(str(self.path), "w", format="mp4", options=_GROWING)
        options = encoder_options("libx264", MediaSettings())
        stream = cast("VideoStream", container.add_stream("libx264", rate=self._rate, options=options))
        set_up(stream.codec_context, width=width, height=height, format="yuv420p", display=_DISPLAY)
        stream.time_base = TIME_BASE
        self._container, self._stream, self._size = container, stream, (width, height)

    def _encode(self, pts: int) -> None:
        assert self._container is not None  # noqa: S101  # the first picture has opened them
        assert self._stream is not None  # noqa: S101
        assert self._last is not None  # noqa: S101
        is_key = self.last_pts is None or (pts - self._last_key) * TIME_BASE >= _KEY_FRAME_S
        self._last_key = pts if is_key else self._last_key
        self._last.pts, self._last.time_base = pts, TIME_BASE
        self._last.pict_type = PictureType.I if is_key else PictureType.NONE
        self.last_pts = pts
        self._mux(self._container, self._stream.encode(self._last))

    def _mux(self, container: OutputContainer, packets: list[av.Packet]) -> None:
        for packet in packets:
            packet.duration = round(1 / self._rate / TIME_BASE)
            container.mux(packet)
            self._muxed += 1
            self._audio_bytes = self.path.stat().st_size


def _put_index_first(path: Path) -> None:
    """Replace the file by one with the same packets that can be played while it loads."""
    part = path.with_name(f".{path.name}.part")
    try:
        with av.open(str(path)) as grown, av.open(str(part), "w", format="mp4", options=_WHOLE) as whole:
            source = grown.streams.video[0]
            # Without `opaque`, PyAV 14.2 opens an encoder for the copy, whose header makes the packets empty.
            target = whole.add_stream_from_template(source, opaque=True)
            for packet in grown.demux(source):
                if packet.dts is not None:  # the last one is empty
                    packet.stream = target
                    whole.mux(packet)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save_mp4(data: bytes, path: Path) -> None:
    """Copy the first video and sound of MPEG-TS bytes into an MP4 file, which a browser plays."""
    with (
        av.open(io.BytesIO(data), mode="r", format="mpegts") as source,
        av.open(str(path), mode="w", options=_WHOLE) as target,
    ):
        chosen: list[VideoStream | AudioStream] = [*source.streams.video[:1], *source.streams.audio[:1]]
        outputs: dict[Stream, Stream] = {stream: target.add_stream_from_template(stream) for stream in chosen}
        for packet in source.demux(*outputs):
            if packet.dts is not None:
                packet.stream = outputs[packet.stream]
                target.mux(packet)
