"""The source of a preview's frames, as far as all sources can be controlled alike."""

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
    """The frame that is held or was shown last: its number from 0, how many there are, and its time in seconds."""

    number: int
    count: int
    time_s: float


class Feed(Protocol):
    """Submits frames from a thread of its own, each when its time has come. Nobody may write to them.

    While paused, it holds the last frame, and ``again`` submits it once more. It calls ``on_event`` after a position
    was reached while paused, at the end, and after an ``error``.
    """

    name: str
    source: Any
    """The argument that it was opened with, to open it again."""
    decode_times: Timings
    has_ended: bool
    """Whether its last frame has come; to play it again, open it again."""
    error: str
    """One sentence if the frames have broken off, else empty."""

    @property
    def fps(self) -> float | None:
        """Frames a second of a live stream of it; ``None`` if unknown."""
        ...

    @property
    def is_playing(self) -> bool:
        """True from ``play`` until ``pause`` or the end."""
        ...

    @property
    def position(self) -> Position | None:
        """The present position; ``None`` for a live source."""
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
        """Hold the last frame and release all others, while no browser is open."""
        ...

    def again(self) -> None:
        """Submit the held frame once more, if paused; while playing, the next frame comes anyway."""
        ...

    def close(self) -> None:
        """End the thread and wait for it."""
        ...


def as_given(feed: Feed) -> str:
    """Return what a person would type to open it, without the parts of a URL that may be secret."""
    source = feed.source
    if not isinstance(source, str | Path):
        return feed.name
    text = str(source)
    return without_secrets(text) if "://" in text else text


def why_it_broke_off(name: str, error: Exception) -> str:
    """Say in one sentence why a feed's frames have ended. An unexpected error also goes to the log."""
    if isinstance(error, ByocKitError):
        return str(error)
    logger.error("%s broke off", name, exc_info=error)
    return f"{name} broke off: {type(error).__name__}: {error}; choose it again, or another source"


def noted(frame: VideoFrame, name: str) -> Any:
    """Return an entry of the frame's side data: ``position``, ``stream``, or a camera's ``captured_ms``."""
    return getattr(frame.side_data, name, None)
