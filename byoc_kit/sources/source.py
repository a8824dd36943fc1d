"""What a source is: frames that can be asked for by number, or frames that come when they come."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeGuard

from byoc_kit.core.frames import VideoFrame

# The camera of the browser's machine; the preview alone can open it.
WEBCAM = "webcam"


class LiveSource(Protocol):
    """Frames that come when they come: a URL, a trickle channel, a running server. It is read once, by one thread."""

    @property
    def name(self) -> str:
        """What a person calls it; passwords and queries of a URL are left out."""
        ...

    def frames(self) -> Generator[VideoFrame]:
        """Yield each frame as it comes, blocking for the next; ends with the stream, or when ``close`` is called.

        Raises ``MediaError`` if it breaks off or nothing ever comes.
        """
        ...

    def close(self) -> None:
        """Let go of the stream, from any thread; who waits for a frame is let go within a second."""
        ...


class ClipSource(Protocol):
    """Frames that can be asked for by number, from 0: a clip, a folder of images, a synthetic pattern.

    Any thread may ask; each reading is for one thread.
    """

    @property
    def name(self) -> str:
        """What a person calls it: ``bigbuckbunny.mp4``, ``images/ (12 pictures)``, ``bars``."""
        ...

    @property
    def count(self) -> int:
        """How many frames there are. Of a damaged clip it shrinks when a reading finds that one cannot be decoded."""
        ...

    @property
    def fps(self) -> float:
        """Frames a second, on average."""
        ...

    def time_s(self, number: int) -> float:
        """Return when a frame is shown, the first one at 0; from ``count`` on, when the last one ends.

        Raises ``IndexError`` for a negative number.
        """
        ...

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """Yield the frames from number ``start`` on, new ones each time; closing the generator closes what it opened.

        Raises ``IndexError`` at once for a number outside ``0..count - 1``, and
        ``MediaError`` where a frame is not to be had.
        """
        ...


def is_clip_source(source: Any) -> TypeGuard[ClipSource]:
    """Whether a source's frames have numbers; a live source's have none."""
    return hasattr(source, "count") and hasattr(source, "time_s")
