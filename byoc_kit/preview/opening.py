"""From what a person names as a source to the feed that plays it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from byoc_kit.preview.camera import Camera
from byoc_kit.preview.feed import Feed
from byoc_kit.preview.live_feed import LiveFeed
from byoc_kit.preview.reel_feed import ReelFeed
from byoc_kit.sources import WEBCAM, Reel, is_reel, open_source


def open_feed(source: str | Path | Reel, *, fps: float | None, camera: Callable[[], Camera]) -> Feed:
    """Open a source; ``camera`` is asked for the browser's where that is wanted.

    Raises :class:`~byoc_kit.errors.ByocKitError`, in one sentence, for what cannot be played.
    """
    if source == WEBCAM:
        return LiveFeed(camera())
    opened: Any = open_source(source) if isinstance(source, str | Path) else source
    return ReelFeed(opened, fps=fps) if is_reel(opened) else LiveFeed(opened)
