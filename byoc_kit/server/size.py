"""The size that a stream's ``width`` and ``height`` ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from byoc_kit.frames import VideoFrame
from byoc_kit.media.picture import DecodedPicture, resized
from byoc_kit.params import Params, ParamsError

_SMALLEST, _LARGEST = 16, 8192


@dataclass(frozen=True)
class Size:
    """Pixels that frames are scaled to before ``process_frame``; what is ``None`` follows the source's shape."""

    width: int | None = None
    height: int | None = None

    def updated(self, changes: Mapping[str, Any], params_type: type[Params]) -> tuple[Size, dict[str, Any]]:
        """Take ``width`` and ``height`` out of changed parameters, unless the model has its own of that name.

        Returns the new size and the other changes. Raises :class:`~byoc_kit.params.ParamsError` naming the field.
        """
        rest = dict(changes)
        own = {name: rest.pop(name) for name in ("width", "height") if name in rest and not _has(params_type, name)}
        for name, value in own.items():
            _check(name, value)
        return replace(self, **own), rest

    def fit(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame scaled, with all that is noted beside it; itself where it fits already."""
        if self == Size():
            return frame
        width = self.width or _even(frame.width * (self.height or 0) / frame.height)
        height = self.height or _even(frame.height * width / frame.width)
        if (width, height) == (frame.width, frame.height):
            return frame
        picture = frame.untouched
        if not isinstance(picture, DecodedPicture):
            return frame.replace(pixels=resized(frame.pixels, width, height))
        scaled = VideoFrame(None, frame.timestamp, frame.time_base, origin=picture.resized(width, height))
        scaled.log_timestamps, scaled.side_data = frame.log_timestamps, frame.side_data
        return scaled

    def as_dict(self) -> dict[str, int]:
        """Return what is set."""
        return {name: value for name, value in vars(self).items() if value is not None}


def _has(params_type: type[Params], name: str) -> bool:
    return name in params_type.model_fields


def _check(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not _SMALLEST <= value <= _LARGEST or value % 2:
        reason = f"must be an even number of {_SMALLEST} to {_LARGEST} pixels, or null for the source's"
        raise ParamsError(name, reason)


def _even(pixels: float) -> int:
    """Return an even number of pixels near to a side that follows from the other one."""
    return min(_LARGEST, max(_SMALLEST, round(pixels / 2) * 2))
