"""Frames of a reel that stay in memory: a clip that plays in a loop is decoded once, and any frame of it is at hand."""

from __future__ import annotations

import math
import os
from pathlib import Path

from pytrickle.frames import SideData

from byoc_kit.frames import VideoFrame
from byoc_kit.media.picture import DecodedPicture

_SHARE_OF_MEMORY = 32
_MOST_BYTES = 1 << 30
# What a container may take: of cgroups version 2, and of version 1.
_LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")


def room_bytes() -> int:
    """Return how much memory the frames may take: a 32nd of the machine's or the container's, at most 1 GiB.

    That is 26 s at 720p and 30 fps. What the preview has encoded of a kept frame comes on top, some 3 % of it.
    """
    memory = min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *map(_limit_bytes, _LIMITS))
    return int(min(_MOST_BYTES, memory // _SHARE_OF_MEMORY))


def _limit_bytes(file: Path) -> float:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no cgroup of that version, or no limit: "max"
        return math.inf


class KeptFrames:
    """All frames that were read, where ``room`` bytes are enough for the whole reel; otherwise those read last.

    A part would not do: behind it the clip would have to be entered anew in each loop, and decoded from the key frame
    before.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._frames: dict[int, VideoFrame] = {}
        self._largest = 0
        self._count = 0

    def get(self, number: int) -> VideoFrame | None:
        """Return a frame, with nothing noted beside it yet; ``None`` where it is not here."""
        kept = self._frames.get(number)
        if kept is None:
            return None
        frame = kept.original()
        frame.side_data = SideData()
        return frame

    def begin(self) -> None:
        """Make room for the frames that are read next."""
        if self._largest * self._count > self._room:
            self.clear()

    def add(self, number: int, frame: VideoFrame, count: int) -> None:
        """Keep a frame of a reel that has ``count``. Where that has changed, the others may have other numbers now."""
        if count != self._count:
            self.clear()
        self._count = count
        self._largest = max(self._largest, _size(frame))
        self._frames[number] = frame

    def clear(self) -> None:
        """Keep none."""
        self._frames.clear()


def _size(frame: VideoFrame) -> int:
    """Return how many bytes a frame's picture takes."""
    if isinstance(frame.origin, DecodedPicture):
        return sum(plane.buffer_size for plane in frame.origin.frame.planes)
    return frame.view().nbytes
