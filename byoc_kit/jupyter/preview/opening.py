"""Makes the feed that plays the source that a person names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.camera import Camera
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.jupyter.preview.feed import Feed
from byoc_kit.jupyter.preview.live_feed import LiveFeed
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import WEBCAM, ClipSource, is_clip_source


def open_feed(source: str | Path | ClipSource, *, fps: float | None, camera: Callable[[], Camera]) -> Feed:
    """Open a source; ``camera`` makes the browser's camera if the source is that.

    Raises ``ByocKitError``, with one sentence, if the source cannot be played.
    """
    feed = _feed_of(source, fps, camera)
    feed.source = source
    return feed


def _feed_of(source: Any, fps: float | None, camera: Callable[[], Camera]) -> Feed:
    if isinstance(source, str) and source == WEBCAM:
        return LiveFeed(camera())
    opened: Any = open_source(source) if isinstance(source, str | Path) else source
    if is_clip_source(opened):
        feed = ClipFeed(opened, fps=fps)
        if isinstance(opened, ImageFolder) and fps is None:
            feed.set_speed(1 / opened.fps)  # one picture a second, so that a person can look at each
        return feed
    if hasattr(opened, "frames") and hasattr(opened, "close"):
        return LiveFeed(opened)
    msg = f"a source is a path, a URL, synthetic or {WEBCAM}, not {type(source).__name__}"
    raise ByocKitError(msg)
