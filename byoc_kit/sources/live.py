"""What comes when it comes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from byoc_kit.frames import VideoFrame

# The camera of the browser's machine; the preview alone can open it.
WEBCAM = "webcam"


class LiveSource(Protocol):
    """Frames that come when they come: a URL, a trickle channel, a running server. It is read once, by one thread."""

    @property
    def name(self) -> str:
        """What a person calls it; passwords and queries of a URL are left out."""
        ...

    def frames(self) -> Generator[VideoFrame]:
        """Yield each frame as it comes, blocking for the next; ends with the stream, or when :meth:`close` is called.

        Raises :class:`~byoc_kit.media.decode.MediaError` where it breaks off or nothing ever comes.
        """
        ...

    def close(self) -> None:
        """Let go of the stream, from any thread; who waits for a frame is let go within a second."""
        ...
