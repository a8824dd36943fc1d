"""Frames in, MPEG-TS segments out: one segment a group of pictures, each byte handed on as soon as it exists."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import Self, cast

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from byoc_kit.frames import FrameError, VideoFrame
from byoc_kit.media.mpegts import SegmentCutter

GOP_S = 1.0
TIME_BASE = Fraction(1, 90_000)
_AVIO_BUFFER = 32_768
_SMALLEST = 2

MUXER_OPTIONS = {
    "mpegts_copyts": "1",  # the output keeps the input's times
    "mpegts_flags": "pat_pmt_at_frames",  # each segment can be decoded by itself
    "omit_video_pes_length": "0",  # a reader knows where a frame ends without waiting for the next
    "flush_packets": "1",
    "max_interleave_delta": "100000",  # a picture waits 0.1 s at most for sound that does not come
}


class SegmentWriter:
    """Encodes frames with x264 for low latency and muxes them, and copied audio packets, to MPEG-TS.

    ``on_segment()`` is called before the first byte of each segment, ``on_bytes(data)`` with what belongs to it. The
    video stream takes its size from the first frame; a later frame of another size is scaled to it. Odd sizes lose
    their last row or column, since 4:2:0 video has none.
    """

    def __init__(
        self,
        on_segment: Callable[[], None],
        on_bytes: Callable[[bytes], None],
        *,
        rate: Fraction = Fraction(30),
        audio: AudioStream | None = None,
        preset: str = "superfast",
        crf: int = 23,
        gop_s: float = GOP_S,
    ) -> None:
        self._on_segment = on_segment
        self._on_bytes = on_bytes
        self._cutter = SegmentCutter()
        self._rate = rate
        self._gop = Fraction(gop_s).limit_denominator(1000)
        self._options = {"preset": preset, "tune": "zerolatency", "crf": str(crf), "forced-idr": "1"}
        self._container = av.open(self, mode="w", format="mpegts", options=MUXER_OPTIONS, buffer_size=_AVIO_BUFFER)
        self._audio_template = audio
        self._video: VideoStream | None = None
        self._audio: AudioStream | None = None
        self._segment_started: Fraction | None = None
        self._last_pts: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def write(self, data: bytes) -> int:
        """Take bytes from the muxer (PyAV calls this)."""
        for part in self._cutter.cut(bytes(data)):
            if part.begins_segment:
                self._on_segment()
            self._on_bytes(part.data)
        return len(data)

    def write_frame(self, frame: VideoFrame) -> None:
        """Encode a frame. One that is not later than the last is left out: a decoder could not show it."""
        if min(frame.width, frame.height) < _SMALLEST:
            msg = f"{frame.width}x{frame.height} is too small for video; return at least {_SMALLEST}x{_SMALLEST} pixels"
            raise FrameError(msg)
        video = self._video or self._open(frame)
        pts = round(frame.pts * frame.time_base / TIME_BASE)
        if self._last_pts is not None and pts <= self._last_pts:
            return
        self._last_pts = pts
        picture = av.VideoFrame.from_ndarray(frame.pixels[: frame.height // 2 * 2, : frame.width // 2 * 2], "rgb24")
        picture = picture.reformat(width=video.width, height=video.height, format="yuv420p")
        picture.pts, picture.time_base = pts, TIME_BASE
        time = pts * TIME_BASE
        if self._segment_started is None or time - self._segment_started >= self._gop:
            self._segment_started = time
            picture.pict_type = PictureType.I
        self._mux(video.encode(picture))

    def write_audio(self, packet: Packet) -> None:
        """Pass an audio packet of the input through, untouched; before the first picture there is no place for it."""
        if self._audio is None or packet.dts is None:
            return
        packet.stream = self._audio
        self._container.mux(packet)

    def close(self) -> None:
        """Flush the encoder and end the last segment."""
        video, self._video = self._video, None
        try:
            if video is not None:
                self._mux(video.encode(None))
        finally:
            self._container.close()

    def __del__(self) -> None:
        # PyAV 14.2 writes to freed memory when an open output to a Python object is collected, and the process dies.
        self._on_bytes = lambda _: None
        with suppress(av.FFmpegError):
            self._container.close()

    def _open(self, frame: VideoFrame) -> VideoStream:
        video = cast("VideoStream", self._container.add_stream("libx264", rate=self._rate, options=self._options))
        video.width, video.height = frame.width // 2 * 2, frame.height // 2 * 2
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = TIME_BASE
        video.codec_context.gop_size = 100_000  # segments begin where write_frame says, nowhere else
        if self._audio_template is not None:
            self._audio = self._container.add_stream_from_template(self._audio_template)
        self._video = video
        return video

    def _mux(self, packets: list[Packet]) -> None:
        for packet in packets:
            self._container.mux(packet)
