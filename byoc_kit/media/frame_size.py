"""The size that a stream's ``width`` and ``height`` ask for."""

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
    """Pixels that frames are scaled to before ``process_frame``; what is ``None`` follows the source's shape.

    There are 4096x2160 at most: where a side that follows would make more, both are smaller, in the source's shape.
    """

    width: int | None = None
    height: int | None = None

    def updated(self, changes: Mapping[str, Any], params_type: type[Params]) -> tuple[Size, dict[str, Any]]:
        """Take ``width`` and ``height`` out of changed parameters, unless the model has its own of that name.

        Returns the new size and the other changes. Raises ``ParamsError`` naming the field.
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
        """Return the frame scaled, with all that is noted beside it; itself where it fits already."""
        if self == Size():
            return frame
        width, height = self._beside(frame.width, frame.height)
        if (width, height) == (frame.width, frame.height):
            return frame
        picture = frame.untouched
        if isinstance(picture, DecodedPicture):
            return frame.with_origin(picture.resized(width, height))
        return frame.with_origin(PixelPicture(resized(frame.view(), width, height)))

    def _beside(self, width: int, height: int) -> tuple[int, int]:
        """Return both sides for a source of that size."""
        if self.width and self.height:
            return self.width, self.height
        wanted = self.width / width if self.width else (self.height or height) / height
        scale = min(wanted, math.sqrt(MOST_PIXELS / (width * height)))
        return _even(width * scale), _even(height * scale)

    def as_dict(self) -> dict[str, int]:
        """Return what is set."""
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
    """Return an even number of pixels near to a side, as far as sides go."""
    return min(LARGEST_SIDE, max(_SMALLEST, round(pixels / 2) * 2))
