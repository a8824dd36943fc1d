"""Which kind of preview there is to make: one that plays, or one that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.preview import Preview, kernel
from byoc_kit.preview.cells import OpenByCell
from byoc_kit.preview.headless import StaticPreview
from byoc_kit.preview.live import LivePreview
from byoc_kit.preview.version import Version
from byoc_kit.server.size import Size
from byoc_kit.sources import Reel

_playing = OpenByCell()


def start(
    process_frame: Callable[..., Any],
    source: str | Path | Reel,
    *,
    compare: Callable[..., Any] | None,
    fps: float | None,
    size: tuple[int | None, int | None],
    width: int,
) -> Preview:
    """Make the preview that :func:`byoc_kit.preview.preview` describes."""
    _playing.close_earlier(kernel.cell())
    if width < 1:
        msg = f"width must be at least 1 pixel, not {width}"
        raise ByocKitError(msg)
    if fps is not None and not fps > 0:
        msg = f"fps must be above 0, not {fps}"
        raise ByocKitError(msg)
    asked = dict(zip(("width", "height"), size, strict=True))
    version = Version(process_frame)
    fitted, _ = Size().updated(asked, version.hooks.params_type)
    if not kernel.has_front_end():
        beside = Version(compare) if compare is not None else None
        return StaticPreview(version, source, width=width, fps=fps, size=fitted, compare=beside)
    live = LivePreview(process_frame, source, width=width, fps=fps, size=fitted, compare=compare)
    _playing.add(kernel.cell(), live)
    return live
