"""Video frames: what ``process_frame`` takes and returns.

A ``VideoFrame`` extends pytrickle's. It begins as a picture that never changes. It makes its own uint8 pixels and float
tensor only when code asks for them, so a frame that no code reads goes out unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch
from pytrickle.frames import AudioFrame, SideData
from pytrickle.frames import VideoFrame as PytrickleVideoFrame

from byoc_kit.core.pixels import (
    FrameError,
    Pixels,
    check_pixels,
    check_tensor,
    tensor_to_pixels,
    to_unit_floats,
    what_to_write,
)

__all__ = [
    "AudioFrame",
    "Picture",
    "PixelPicture",
    "PytrickleVideoFrame",
    "VideoFrame",
    "as_frame",
]

_ROWS_APART = 16  # between the rows that are compared first
_SHOWN = 640  # pixels per side, so that a notebook file stays small


class Picture(Protocol):
    """The picture that a frame begins with. It never changes. A decoder's picture keeps the colours of the video."""

    @property
    def width(self) -> int:
        """Pixels a row."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    def to_pixels(self) -> Pixels:
        """Return new uint8 ``[H, W, 3]`` RGB pixels."""
        ...


@dataclass(frozen=True, eq=False)
class PixelPicture:
    """uint8 ``[H, W, 3]`` RGB pixels that never change; ``pixels`` is read-only."""

    pixels: Pixels

    def __post_init__(self) -> None:
        view = self.pixels.view()
        view.flags.writeable = False
        object.__setattr__(self, "pixels", view)

    @property
    def width(self) -> int:
        """Pixels a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    def to_pixels(self) -> Pixels:
        """Return a copy."""
        return self.pixels.copy()


@dataclass(frozen=True, eq=False)
class _TensorPicture:
    """A tensor that never changes. A frame of stock pytrickle begins with one."""

    tensor: torch.Tensor

    @property
    def width(self) -> int:
        return int(self.tensor.shape[-2])

    @property
    def height(self) -> int:
        return int((1, *self.tensor.shape)[-3])

    def to_pixels(self) -> Pixels:
        return _owned(self.tensor)


class VideoFrame(PytrickleVideoFrame):  # type: ignore[misc]  # pytrickle has no type hints
    """One picture and its time: what ``process_frame`` takes and returns.

    ``pixels`` and ``tensor`` are two forms of the same picture. Each is made on first use. If both were used, the one
    used last is the frame's picture, with everything written to it.

    Parameters
    ----------
    tensor : torch.Tensor or None
        Float32 ``[1, H, W, 3]``, RGB, 0 to 1. It is not copied.
    timestamp : int
        The time of the picture, in units of ``time_base``.
    time_base : Fraction
        Seconds per unit, such as ``Fraction(1, 90_000)``.
    log_timestamps : dict, optional
        pytrickle's own record of when the frame was where.
    origin : Picture, optional
        The picture that the frame begins with, instead of a tensor. It never changes. A decoder's picture also says
        in which colours the video is encoded.

    Raises
    ------
    FrameError
        If there is neither a tensor nor a picture.

    Examples
    --------
    >>> import numpy as np
    >>> import byoc_kit
    >>> frame = byoc_kit.VideoFrame.from_pixels(np.zeros((720, 1280, 3), np.uint8))
    >>> frame.tensor.shape
    torch.Size([1, 720, 1280, 3])
    """

    def __init__(
        self,
        tensor: torch.Tensor | None,
        timestamp: int,
        time_base: Fraction,
        log_timestamps: dict[str, float] | None = None,
        *,
        origin: Picture | None = None,
    ) -> None:
        """Make a frame from a tensor, which is not copied, or from ``origin``; the other arguments are pytrickle's."""
        if origin is None:
            if tensor is None:
                msg = "a VideoFrame needs a tensor or a picture"
                raise FrameError(msg)
            origin, tensor = _TensorPicture(check_tensor(tensor)), None
        self.origin: Picture = origin
        self._pixels: Pixels | None = None
        self._tensor = tensor
        self._sample: Pixels | None = None  # of the pixels made from the origin; none once a tensor was set
        self.timestamp = timestamp
        self.time_base = time_base
        self.log_timestamps = log_timestamps or {}
        self.side_data = SideData()

    @classmethod
    def from_pixels(cls, pixels: Pixels, pts: int = 0, time_base: Fraction = Fraction(1, 90_000)) -> VideoFrame:
        """Make a frame from pixels.

        Parameters
        ----------
        pixels : numpy.ndarray
            uint8 ``[H, W, 3]``, RGB. They are not copied, so do not change them; you may change the frame's ``pixels``.
        pts : int, optional
            The time of the picture, in units of ``time_base``.
        time_base : Fraction, optional
            Seconds per unit.

        Raises
        ------
        FrameError
            If the array has another shape or type.
        """
        return cls(None, pts, time_base, origin=PixelPicture(check_pixels(pixels)))

    @property
    def tensor(self) -> torch.Tensor:
        """Float32 ``[1, H, W, 3]``, 0..1, RGB."""
        if isinstance(self.untouched, _TensorPicture):
            self._tensor = self.untouched.tensor.clone()
        elif self._tensor is None:
            self._tensor = to_unit_floats(self.pixels).unsqueeze_(0)
            self._pixels = None
        return self._tensor

    @tensor.setter
    def tensor(self, tensor: torch.Tensor) -> None:
        self._tensor = check_tensor(tensor)
        self._pixels = self._sample = None

    @property
    def pixels(self) -> Pixels:
        """uint8 ``[H, W, 3]``, RGB. They are the frame's own, so you may write to them.

        Raises ``FrameError`` if the tensor is not a picture.
        """
        if self._pixels is None:
            if self._tensor is not None:
                self._pixels, self._tensor = tensor_to_pixels(self._tensor), None
            else:
                self._pixels = self.origin.to_pixels()
                self._sample = _sampled(self._pixels).copy()
        return self._pixels

    @property
    def untouched(self) -> Picture | None:
        """The frame's ``origin`` until code asks for the pixels or the tensor, to which it may write; then ``None``."""
        return self.origin if self._pixels is None and self._tensor is None else None

    def view(self) -> Pixels:
        """Return the pixels, only to be read: the frame does not change, and pixels that it has are not copied.

        Raises ``FrameError`` if the tensor is not a picture.
        """
        if self._pixels is not None:
            return self._pixels
        if self._tensor is not None:
            return tensor_to_pixels(self._tensor)
        return self.origin.pixels if isinstance(self.origin, PixelPicture) else self.origin.to_pixels()

    @property
    def pts(self) -> int:
        """Presentation time in units of ``time_base``; pytrickle calls it ``timestamp``."""
        return int(self.timestamp)

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    @property
    def width(self) -> int:
        """Pixels a row."""
        return int(self._shape()[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self._shape()[0])

    def replace(self, *, tensor: torch.Tensor | None = None, pixels: Pixels | None = None) -> VideoFrame:
        """Return a frame with another picture and the same time. Give either ``tensor`` or ``pixels``.

        Parameters
        ----------
        tensor : torch.Tensor, optional
            ``[1, H, W, 3]`` or ``[H, W, 3]``, RGB; floating values are 0 to 1.
        pixels : numpy.ndarray, optional
            uint8 ``[H, W, 3]``, RGB.

        Raises
        ------
        FrameError
            If ``tensor`` is not a tensor, ``pixels`` are not a picture, or neither is given.
        """
        if tensor is None and pixels is None:
            msg = "replace() needs a tensor or pixels"
            raise FrameError(msg)
        frame = self.with_origin(self.origin)
        if tensor is not None:
            frame.tensor = tensor
        else:
            frame._pixels = check_pixels(pixels)  # noqa: SLF001  # made here
        return frame

    def replace_tensor(self, new_tensor: torch.Tensor) -> VideoFrame:
        """Return a frame with another tensor. This is pytrickle's name for ``replace``."""
        return self.replace(tensor=new_tensor)

    def original(self) -> VideoFrame:
        """Return the frame as it began, without what was written to it since."""
        return self.with_origin(self.origin)

    def with_origin(self, origin: Picture) -> VideoFrame:
        """Return a frame that begins with another picture, and has the same time and side data."""
        frame = VideoFrame(None, self.timestamp, self.time_base, dict(self.log_timestamps), origin=origin)
        frame.side_data = self.side_data
        return frame

    def _shape(self) -> tuple[int, ...]:
        if self.untouched is not None:
            return (self.origin.height, self.origin.width)
        return self._pixels.shape if self._pixels is not None else tuple(self.tensor.shape[-3:])

    def _repr_png_(self) -> bytes:
        """Show the picture if a notebook's cell ends with the frame, scaled down to at most 640 pixels a side."""
        from PIL import Image

        image = Image.fromarray(self.view())
        image.thumbnail((_SHOWN, _SHOWN))
        image.save(png := BytesIO(), format="png")
        return png.getvalue()

    def __repr__(self) -> str:
        return f"VideoFrame({self.width}x{self.height}, pts={self.pts}, time_base={self.time_base})"


def floating_tensor(result: Any) -> torch.Tensor | None:
    """Return the floating tensor in what ``process_frame`` returned; ``None`` if its picture is in another form."""
    if isinstance(result, VideoFrame):
        tensor = result._tensor  # noqa: SLF001  # asking for `tensor` would make one
        result = getattr(result.untouched, "tensor", None) if tensor is None else tensor
    elif isinstance(result, PytrickleVideoFrame):
        result = result.tensor
    is_floating = isinstance(result, torch.Tensor) and result.is_floating_point() and result.numel() > 0
    return result if is_floating else None


def as_frame(result: Any, source: VideoFrame) -> VideoFrame | None:
    """Turn what ``process_frame`` returned into a frame with the time of ``source`` and a picture of its own.

    It may be a ``VideoFrame`` (also pytrickle's), a tensor, a uint8 array, or ``None``, which drops the frame. Pixels
    are copied, since a function may return the same buffer for each frame, while the last frame is still being encoded.
    A frame that was only read goes out as it began. Raises ``FrameError`` for anything else.
    """
    if result is None:
        return None
    if isinstance(result, VideoFrame):
        picture = result.untouched
        # Nobody writes to a decoder's picture. Other pixels may be a buffer that is reused, unless the source has them.
        if picture is not None and (picture is source.origin or not isinstance(picture, PixelPicture | _TensorPicture)):
            return source.with_origin(picture)
        latest, is_new = _latest_pixels(result)
        if _was_only_read(result, latest, source):
            return source.original()
        return source.replace(pixels=latest if is_new else latest.copy())
    to_pixels: dict[type, Callable[[Any], Pixels]] = {
        PytrickleVideoFrame: lambda frame: _owned(frame.tensor),
        torch.Tensor: _owned,
        np.ndarray: lambda array: check_pixels(array).copy(),
    }
    for kind, convert in to_pixels.items():
        if isinstance(result, kind):
            return source.replace(pixels=convert(result))
    what, hint = type(result).__name__, what_to_write(result)
    msg = f"process_frame must return a VideoFrame, a tensor, a uint8 array or None, not {what}; {hint}"
    raise FrameError(msg)


def _was_only_read(result: VideoFrame, latest: Pixels, source: VideoFrame) -> bool:
    """Whether the frame came back with its own picture, which was read but not written to.

    So the frame of a detector needs no conversion back, which takes three times as long as this comparison.
    """
    sample = result._sample  # noqa: SLF001
    if result.origin is not source.origin or sample is None or not np.array_equal(_sampled(latest), sample):
        return False
    return _are_equal(latest, source.original().view())


def _are_equal(some: Pixels, others: Pixels) -> bool:
    """Whether two pictures have the same pixels; comparing eight bytes at a time takes two thirds of the time."""
    if some.shape == others.shape and some.nbytes % 8 == 0:
        return np.array_equal(some.reshape(-1).view(np.uint64), others.reshape(-1).view(np.uint64))
    return np.array_equal(some, others)


def _sampled(pixels: Pixels) -> Pixels:
    """Return every 16th row. Nearly everything that a function draws crosses one of them."""
    return pixels[::_ROWS_APART]


def _latest_pixels(frame: VideoFrame) -> tuple[Pixels, bool]:
    """Return the frame's picture as pixels, and whether they are new, so that nobody else can write to them."""
    if frame.untouched is not None:
        return frame.untouched.to_pixels(), True
    tensor = frame._tensor  # noqa: SLF001
    return (frame.pixels, False) if tensor is None else (_owned(tensor), True)


def _owned(tensor: torch.Tensor) -> Pixels:
    pixels = tensor_to_pixels(tensor)
    return pixels if tensor.is_floating_point() else pixels.copy()  # the conversion of a floating one has copied it
