"""Where a preview's frames come from, and how far they can be steered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.timings import Timings
from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import without_secrets

logger = logging.getLogger(__name__)

Submit = Callable[[VideoFrame], None]


@dataclass(frozen=True)
class Position:
    """Which frame is held or shown last: its number from 0, of how many, and its time in seconds."""

    number: int
    count: int
    time_s: float


class Feed(Protocol):
    """Submits frames, each when its time has come, from a thread of its own; they are not to be written to.

    Paused, it holds the last frame, and ``again`` submits that one anew. What happens to it otherwise, ``on_event``
    is told: a position reached while paused, the end, an ``error``.
    """

    name: str
    source: Any
    """What it was opened from, to open it again."""
    decode_times: Timings
    has_ended: bool
    """Whether its last frame has come, so that only opening it again brings more."""
    error: str
    """One sentence once the frames have broken off; empty where all is well."""

    @property
    def fps(self) -> float | None:
        """Frames a second that a live stream of it would have; ``None`` where nobody knows."""
        ...

    @property
    def is_playing(self) -> bool:
        """True between ``play`` and ``pause``, or the end."""
        ...

    @property
    def position(self) -> Position | None:
        """Where it stands; ``None`` for a live source."""
        ...

    def start(self, submit: Submit, on_event: Callable[[], None]) -> None:
        """Start the thread, paused, with its first frame submitted."""
        ...

    def play(self) -> None:
        """Go on from the held frame."""
        ...

    def pause(self) -> None:
        """Hold the last frame."""
        ...

    def rest(self) -> None:
        """Hold the last frame, and keep no others, while no browser is open."""
        ...

    def again(self) -> None:
        """Submit the held frame once more, if paused; a playing feed brings a new one anyway."""
        ...

    def close(self) -> None:
        """End the thread and wait for it."""
        ...


def as_given(feed: Feed) -> str:
    """Return what a person would type to open it; without what may be a secret in a URL."""
    source = feed.source
    if not isinstance(source, str | Path):
        return feed.name
    text = str(source)
    return without_secrets(text) if "://" in text else text


def why_it_broke_off(name: str, error: Exception) -> str:
    """Say in one sentence why a feed's frames have ended; what nobody foresaw goes to the log too."""
    if isinstance(error, ByocKitError):
        return str(error)
    logger.error("%s broke off", name, exc_info=error)
    return f"{name} broke off: {type(error).__name__}: {error}; choose it again, or another source"


def noted(frame: VideoFrame, name: str) -> Any:
    """Return what is noted beside the frame: its ``position``, its ``stream``, or ``captured_ms`` of a camera."""
    return getattr(frame.side_data, name, None)
