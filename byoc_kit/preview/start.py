"""Which kind of preview there is to make: one that plays, or one that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from byoc_kit.errors import ByocKitError
from byoc_kit.params import params_error
from byoc_kit.preview import Preview, kernel
from byoc_kit.preview.clip import ClipSource
from byoc_kit.preview.headless import StaticPreview
from byoc_kit.preview.live import LivePreview
from byoc_kit.processor import FrameProcessor, Hooks

# The previews that play, by notebook cell: the message that ran the cell, and what it made.
_playing: dict[str, tuple[str, list[Preview]]] = {}


def start(process_frame: Callable[..., Any], source: str | Path, *, fps: float | None, width: int) -> Preview:
    """Make the preview that :func:`byoc_kit.preview.preview` describes."""
    close_earlier(kernel.cell())
    if width < 1:
        msg = f"width must be at least 1 pixel, not {width}"
        raise ByocKitError(msg)
    processor = make_processor(process_frame)
    if not kernel.has_front_end():
        return StaticPreview(processor, source, width=width)
    live = LivePreview(processor, ClipSource(source, fps=fps), width=width)
    cell, run = kernel.cell()
    _playing.setdefault(cell, (run, []))[1].append(live)
    return live


def make_processor(process_frame: Callable[..., Any]) -> FrameProcessor:
    """Wrap a notebook's function; raises :class:`ByocKitError` for one whose parameters have no defaults."""
    hooks = Hooks.of(process_frame)
    try:
        processor = FrameProcessor(hooks)
    except ValidationError as error:
        msg = f"{hooks.params_type.__name__} needs a default for each field, so that a stream can start: "
        raise ByocKitError(msg + str(params_error(error))) from error
    processor.source_map = kernel.source_map(hooks.user_file)
    return processor


def close_earlier(cell_and_run: tuple[str, str]) -> None:
    """Close what an earlier run of this cell left playing; two previews of one run stay."""
    cell, run = cell_and_run
    earlier_run, previews = _playing.get(cell, (run, []))
    if earlier_run == run:
        return
    del _playing[cell]
    for one in previews:
        one.close()
