"""The two kinds of sources: clips, whose frames have numbers, and live sources, whose frames come when they come."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeGuard

from byoc_kit.core.frames import VideoFrame

# The camera of the browser's machine; only the preview can open it.
WEBCAM = "webcam"


class LiveSource(Protocol):
    """Frames that come when they come: a URL, a trickle channel, a running server. It is read once, by one thread."""

    @property
    def name(self) -> str:
        """Its name for people, without passwords and queries of a URL."""
        ...

    def frames(self) -> Generator[VideoFrame]:
        """Yield each frame as it comes, and block until the next. Ends with the stream, or when ``close`` is called.

        Raises ``MediaError`` if it breaks off or nothing ever comes.
        """
        ...

    def close(self) -> None:
        """Close the stream, from any thread; a reader that waits for a frame returns within a second."""
        ...


class ClipSource(Protocol):
    """Frames that have numbers, from 0: a video file, a folder of images, a synthetic pattern.

    Any thread may use it, but only one thread each generator of ``frames``.
    """

    @property
    def name(self) -> str:
        """Its name for people: ``bigbuckbunny.mp4``, ``images/ (12 pictures)``, ``bars``."""
        ...

    @property
    def count(self) -> int:
        """How many frames there are. It shrinks if reading a damaged clip finds a frame that cannot be decoded."""
        ...

    @property
    def fps(self) -> float:
        """Frames a second, on average."""
        ...

    def time_s(self, number: int) -> float:
        """Return when a frame is shown. The first one is shown at 0; from ``count`` on, return when the last one ends.

        Raises ``IndexError`` for a negative number.
        """
        ...

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """Yield the frames from number ``start`` on, as new objects; closing the generator closes the files it opened.

        Raises ``IndexError`` at once for a number outside ``0..count - 1``, and ``MediaError`` if a frame cannot be
        read.
        """
        ...


def is_clip_source(source: Any) -> TypeGuard[ClipSource]:
    """Whether a source's frames have numbers; those of a live source do not."""
    return hasattr(source, "count") and hasattr(source, "time_s")
