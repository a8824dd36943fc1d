"""What can be asked for by number."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeGuard

from byoc_kit.frames import VideoFrame


class Reel(Protocol):
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

        Raises :class:`IndexError` for a negative number.
        """
        ...

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """Yield the frames from number ``start`` on, new ones each time; closing the generator closes what it opened.

        Raises :class:`IndexError` at once for a number outside ``0..count - 1``, and
        :class:`~byoc_kit.media.decode.MediaError` where a frame is not to be had.
        """
        ...


def is_reel(source: Any) -> TypeGuard[Reel]:
    """Whether a source's frames have numbers; a live source's have none."""
    return hasattr(source, "count") and hasattr(source, "time_s")
