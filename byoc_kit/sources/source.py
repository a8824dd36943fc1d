"""The two kinds of sources: clips, whose frames have numbers, and live sources, whose frames come over time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeGuard

from byoc_kit.core.frames import VideoFrame

WEBCAM = "webcam"
"""The camera of the browser's machine, which only the preview can open."""


class LiveSource(Protocol):
    """Frames that come over time: a URL, a trickle channel, a running server. One thread reads it, once."""

    @property
    def name(self) -> str:
        """Its name for people: a URL without its password and query."""
        ...

    def frames(self) -> Generator[VideoFrame]:
        """Yield each frame when it comes. Ends with the stream, or when ``close`` is called.

        Raises ``MediaError`` if the stream breaks off, or if nothing ever comes.
        """
        ...

    def close(self) -> None:
        """Close the stream, from any thread; a reader that waits for a frame returns within a second."""
        ...


class ClipSource(Protocol):
    """Frames that have numbers, from 0: a video file, a folder of images, a synthetic pattern.

    Any thread may use it, but each generator of ``frames`` belongs to one thread.
    """

    @property
    def name(self) -> str:
        """Its name for people: ``bigbuckbunny.mp4``, ``images/ (12 pictures)``, ``bars``."""
        ...

    @property
    def count(self) -> int:
        """How many frames there are. In a damaged clip, frames that prove undecodable while it is read do not count."""
        ...

    @property
    def fps(self) -> float:
        """Frames a second, on average."""
        ...

    def time_s(self, number: int) -> float:
        """Return when a frame is shown, the first one at 0. For ``count`` and above, return when the last frame ends.

        Raises ``IndexError`` for a negative number.
        """
        ...

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """Yield the frames from number ``start`` on, as new objects. Closing the generator closes its files.

        The call itself raises ``IndexError`` for a number outside ``0..count - 1``. A frame that cannot be read raises
        ``MediaError``.
        """
        ...


def is_clip_source(source: Any) -> TypeGuard[ClipSource]:
    """Whether a source is a clip, whose frames have numbers, and not a live source."""
    return hasattr(source, "count") and hasattr(source, "time_s")
