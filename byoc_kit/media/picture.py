"""A decoded picture and its colours: conversion from YUV to RGB and back, with the matrix that the video names.

The matrices are those of ISO/IEC 23091-4 (H.273); libavutil's ``AVColorSpace`` and libswscale have the same numbers for
them. A video that names no matrix is read with BT.601's, and written without a name again, as FFmpeg does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, VideoReformatter

from byoc_kit.core.pixels import Pixels

LARGEST_SIDE = 8192
MOST_PIXELS = 4096 * 2160
"""The most pixels of a picture that clients may ask for, or a notebook may make: dozens may be in memory at once."""

_BT709 = 1
_BT601 = 5
_KNOWN_MATRICES = {_BT709, 4, _BT601, 6, 7, 9, 10}
_UNSPECIFIED = 2
_LIMITED, _FULL = int(ColorRange.MPEG), int(ColorRange.JPEG)
_FINEST_ASPECT = 4096  # libx264 rounds to this too
_FULL_RANGE_FORMATS = {"yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"}


@dataclass(frozen=True)
class DisplayInfo:
    """How a video is to be shown: matrix, primaries and transfer, as H.273 numbers them, and the shape of pixels."""

    matrix: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    is_full_range: bool = False
    pixel_aspect: Fraction = Fraction(1)

    @property
    def encoded_format(self) -> str:
        """The 8-bit 4:2:0 format for an encoder. libswscale knows the full range only by this name."""
        return "yuvj420p" if self.is_full_range else "yuv420p"

    @property
    def pixel_shape(self) -> str:
        """The shape of a pixel, width to height, for people: ``16:15``."""
        return f"{self.pixel_aspect.numerator}:{self.pixel_aspect.denominator}"

    @property
    def is_bt601(self) -> bool:
        """Whether the matrix is that of BT.601, which also holds if the video names none."""
        return _matrix(self) in (_BT601, 6)

    def apply_to(self, encoder: VideoCodecContext) -> None:
        """Make an encoder write the same into its stream."""
        encoder.colorspace = self.matrix
        encoder.color_primaries = self.primaries
        encoder.color_trc = self.transfer
        encoder.color_range = _FULL if self.is_full_range else _LIMITED
        encoder.sample_aspect_ratio = self.pixel_aspect


@dataclass(frozen=True)
class DecodedPicture:
    """A picture as it came from the decoder, in any format: YUV, RGB or gray, with or without alpha.

    Conversions leave alpha out. ``display`` is how the video is to be encoded; RGB gets the matrix of BT.601, in the
    limited range. Each conversion makes a new scaler, since that of ``frame.reformat`` is not thread-safe.
    """

    frame: av.VideoFrame
    display: DisplayInfo = DisplayInfo()
    is_key: bool = False
    """Whether decoding can begin with this picture."""

    @classmethod
    def of(cls, frame: av.VideoFrame, decoder: VideoCodecContext | None = None) -> DecodedPicture:
        """Wrap a picture. ``decoder`` knows what not every picture says."""
        # A picture from a GPU is a copy that does not name its colours.
        named = decoder if decoder is not None and decoder.is_hwaccel else frame
        if _is_rgb(frame.format):
            matrix, is_full = _BT601, False  # as it will be encoded: the encoders here only take YUV
        else:
            matrix = named.colorspace
            is_full = named.color_range == _FULL or frame.format.name in _FULL_RANGE_FORMATS
        if decoder is None:
            return cls(frame, DisplayInfo(matrix, is_full_range=is_full), frame.key_frame)
        aspect = decoder.sample_aspect_ratio or Fraction(1)
        display = DisplayInfo(matrix, decoder.color_primaries, decoder.color_trc, is_full, aspect)
        return cls(frame, display, frame.key_frame)

    @property
    def width(self) -> int:
        """Pixels a row."""
        return self.frame.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.frame.height

    def to_pixels(self, *, size: tuple[int, int] | None = None, interpolation: str = "AREA") -> Pixels:
        """Convert to uint8 ``[H, W, 3]`` RGB, scaled to ``size`` (width and height) if it is given."""
        matrix = _matrix(self.display)
        # libswscale converts deep RGB to YUV and back, with the matrix of each side: here they must be the same.
        is_rgb = _is_rgb(self.frame.format)
        width, height = size or (self.width, self.height)
        rgb = VideoReformatter().reformat(
            self.frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix if is_rgb else _other_than(matrix),
            src_color_range=_FULL if is_rgb else self._range,
            dst_color_range=_FULL,
            interpolation=interpolation if size else None,
        )
        pixels = cast("Pixels", rgb.to_ndarray())
        return pixels.copy() if rgb is self.frame else pixels  # pixels that were RGB already still belong to the frame

    def to_yuv420p(self) -> av.VideoFrame:
        """Return it as 8-bit 4:2:0, for an encoder; the picture itself if it has that format."""
        name = self.frame.format.name
        if name == self.display.encoded_format or (name == "yuv420p" and self.display.is_full_range):
            return self.frame
        if (self.display.is_full_range and name not in _FULL_RANGE_FORMATS) or not _is_yuv(self.frame.format):
            # libswscale would assume another range or matrix.
            return pixels_to_yuv420p(self.to_pixels(), self.display)
        return VideoReformatter().reformat(self.frame, format=self.display.encoded_format)

    @property
    def _range(self) -> int:
        """The range of the frame's values. Gray that does not say has the full range, as in FFmpeg."""
        is_full = self.frame.color_range != _LIMITED if _is_gray(self.frame.format) else self.display.is_full_range
        return _FULL if is_full else _LIMITED

    def resized(self, width: int, height: int) -> DecodedPicture:
        """Return it scaled; the picture itself if it has that size.

        Pixels that are not square change their shape, so that the picture is shown in the same shape as before. Square
        pixels stay square.
        """
        if (width, height) == (self.width, self.height):
            return self
        aspect = self.display.pixel_aspect
        if aspect != 1:
            aspect = (aspect * self.width * height / (self.height * width)).limit_denominator(_FINEST_ASPECT)
        display = replace(self.display, pixel_aspect=aspect)
        return replace(self, frame=_scaled(self.frame, width, height), display=display)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale uint8 ``[H, W, 3]`` RGB as a ``DecodedPicture`` is scaled."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return cast("Pixels", _scaled(frame, width, height).to_ndarray())


def _scaled(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    return VideoReformatter().reformat(frame, width=width, height=height, interpolation="BICUBIC")


def pixels_to_yuv420p(pixels: Pixels, display: DisplayInfo) -> av.VideoFrame:
    """Convert uint8 ``[H, W, 3]`` RGB, of even size, to 8-bit 4:2:0 in the colours that ``display`` names."""
    return _to_yuv(pixels, display, display.encoded_format)


def pixels_to_yuv444p(pixels: Pixels, display: DisplayInfo) -> av.VideoFrame:
    """Convert uint8 ``[H, W, 3]`` RGB of any size to 8-bit 4:4:4 in the colours that ``display`` names."""
    return _to_yuv(pixels, display, "yuvj444p" if display.is_full_range else "yuv444p")


def _to_yuv(pixels: Pixels, display: DisplayInfo, format_: str) -> av.VideoFrame:
    rgb = av.VideoFrame.from_numpy_buffer(pixels, format="rgb24")
    matrix = _matrix(display)
    return rgb.reformat(
        format=format_,
        src_colorspace=_other_than(matrix),
        dst_colorspace=matrix,
        src_color_range=_FULL,
        dst_color_range=_FULL if display.is_full_range else _LIMITED,
    )


def _is_rgb(format_: VideoFormat) -> bool:
    return format_.is_rgb or format_.has_palette


def _is_gray(format_: VideoFormat) -> bool:
    # Without floats, whose range libswscale knows.
    return not _is_rgb(format_) and len(format_.components) <= 2 and not format_.name.startswith("grayf")


def _is_yuv(format_: VideoFormat) -> bool:
    return not _is_rgb(format_) and len(format_.components) > 2


def _matrix(display: DisplayInfo) -> int:
    return display.matrix if display.matrix in _KNOWN_MATRICES else _BT601


def _other_than(matrix: int) -> int:
    # PyAV sets the matrices only if the two differ. That of the RGB side has no effect.
    return _BT601 if matrix == _BT709 else _BT709
