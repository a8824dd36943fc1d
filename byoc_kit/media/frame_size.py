"""The frame size that a stream asks for with ``width`` and ``height``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from byoc_kit.core.frames import PixelPicture, VideoFrame
from byoc_kit.core.params import Params, ParamsError
from byoc_kit.media.picture import LARGEST_SIDE, MOST_PIXELS, DecodedPicture, resized

_SMALLEST = 16


@dataclass(frozen=True)
class Size:
    """The size in pixels that frames are scaled to before ``process_frame``. A side that is ``None`` keeps the shape.

    There are at most 4096x2160 pixels. If the side that keeps the shape would make more, both sides are smaller.
    """

    width: int | None = None
    height: int | None = None

    def updated(self, changes: Mapping[str, Any], params_type: type[Params]) -> tuple[Size, dict[str, Any]]:
        """Take ``width`` and ``height`` out of changed parameters, unless the model has parameters of that name.

        Returns the new size, and the other changes. Raises ``ParamsError`` for a size that is not allowed.
        """
        rest = dict(changes)
        own = {name: rest.pop(name) for name in ("width", "height") if name in rest and not _has(params_type, name)}
        for name, value in own.items():
            _check(name, value)
        size = replace(self, **own)
        if (size.width or 0) * (size.height or 0) > MOST_PIXELS:
            reason = f"makes {size.width}x{size.height}, more than the pixels of 4096x2160; choose a smaller size"
            raise ParamsError(next(iter(own)), reason)
        return size, rest

    def fit(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame scaled, with its time and side data; the frame itself if it has this size."""
        if self == Size():
            return frame
        width, height = self._sides_for(frame.width, frame.height)
        if (width, height) == (frame.width, frame.height):
            return frame
        picture = frame.untouched
        if isinstance(picture, DecodedPicture):
            return frame.with_origin(picture.resized(width, height))
        return frame.with_origin(PixelPicture(resized(frame.view(), width, height)))

    def _sides_for(self, width: int, height: int) -> tuple[int, int]:
        """Return both sides for a source of a size."""
        if self.width and self.height:
            return self.width, self.height
        wanted = self.width / width if self.width else (self.height or height) / height
        scale = min(wanted, math.sqrt(MOST_PIXELS / (width * height)))
        return _even(width * scale), _even(height * scale)

    def as_dict(self) -> dict[str, int]:
        """Return the sides that are set."""
        return {name: value for name, value in vars(self).items() if value is not None}


def _has(params_type: type[Params], name: str) -> bool:
    return name in params_type.model_fields


def _check(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not _SMALLEST <= value <= LARGEST_SIDE or value % 2:
        reason = f"must be an even number of {_SMALLEST} to {LARGEST_SIDE} pixels, or null for the source's"
        raise ParamsError(name, reason)


def _even(pixels: float) -> int:
    """Return the nearest even number of pixels that is allowed for a side."""
    return min(LARGEST_SIDE, max(_SMALLEST, round(pixels / 2) * 2))
