"""Makes the kind of preview that fits: one that plays, or a still one where no browser is open."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.interface import SETTING, STILL, Preview
from byoc_kit.jupyter.preview.live_preview import LivePreview
from byoc_kit.jupyter.preview.still_preview import LiveSourceError, StillPreview
from byoc_kit.media.frame_size import Size
from byoc_kit.sources.source import ClipSource
from byoc_kit.sources.suggestions import first_video

_PATTERN = "synthetic:bars"

_playing = kernel.OpenByCell()


def start(
    process_frame: Callable[..., Any],
    source: str | Path | ClipSource | None,
    *,
    compare: Callable[..., Any] | None,
    fps: float | None,
    size: tuple[int | None, int | None],
    width: int,
) -> Preview:
    """Make the preview that ``preview`` describes."""
    _playing.close_earlier(kernel.cell())
    if not isinstance(width, int) or width < 1:
        msg = f"width must be a whole number of pixels, at least 1, not {width!r}"
        raise ByocKitError(msg)
    if fps is not None and not (isinstance(fps, int | float) and 0 < fps < math.inf):
        msg = f"fps must be a number above 0, not {fps!r}"
        raise ByocKitError(msg)
    if not isinstance(size, tuple | list) or len(size) != 2:
        msg = f"size must be a width and a height, as (640, 360), not {size!r}"
        raise ByocKitError(msg)
    version = Version(process_frame)
    compared = version.with_function(compare) if compare is not None else None
    asked = dict(zip(("width", "height"), size, strict=True))
    fitted, _ = Size().updated(asked, version.hooks.params_type)
    before = _playing.predecessor(kernel.cell())
    params, earlier = None, None
    if isinstance(before, LivePreview):
        params, earlier = version.carried_over(before.params), before.earlier_than(version)
    source, notice = (source, "") if source is not None else _source_at_hand()
    still = partial(StillPreview, version, width=width, fps=fps, size=fitted, compare=compared)
    if _is_to_be_still():
        return _unprocessed(still, source)
    if not kernel.has_front_end():
        return still(source)
    live = LivePreview(
        version,
        source,
        width=width,
        fps=fps,
        size=fitted,
        compare=compared,
        params=params,
        earlier=earlier,
        notice=notice,
    )
    _playing.add(kernel.cell(), live)
    return live


def _is_to_be_still() -> bool:
    value = os.environ.get(SETTING, "")
    if value not in {"", STILL}:
        msg = f"{SETTING}={value} does not fit: set it to {STILL}, or not at all"
        raise ByocKitError(msg)
    return value == STILL


def _unprocessed(still: Callable[..., StillPreview], source: str | Path | ClipSource) -> StillPreview:
    """Show the first frame and process none; in place of a live source a pattern is shown."""
    try:
        return still(source, frames=0)
    except LiveSourceError:
        return still(_PATTERN, frames=0)


def _source_at_hand() -> tuple[str, str]:
    """Return the default source, and a sentence that names it."""
    video = first_video(Path())
    if video is not None:
        return video, f"Playing {video}, the first clip here; give another with source=, or above."
    return _PATTERN, f"Playing {_PATTERN}: there is no clip in clips/ or beside the notebook; give one with source=."
