"""Keeps a clip's frames in memory: a clip that plays in a loop is decoded once, and each frame is there at once."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from mmap import MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, mmap
from pathlib import Path

import av
import numpy as np
from pytrickle.frames import SideData

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.jupyter.preview.pictures import samples_of
from byoc_kit.media.picture import DecodedPicture

_SHARE_OF_MEMORY = 32
_MOST_BYTES = 1 << 30
# A container's memory limit, of cgroups version 2 and of version 1.
_LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")

_COPIED_FORMATS = {"yuv420p", "yuvj420p"}


def room_bytes() -> int:
    """Return how much memory the frames may take: a 32nd of the machine's or the container's memory, at most 1 GiB.

    1 GiB is 26 s at 720p and 30 fps. The preview's JPEGs of the kept frames take some 3 % more.
    """
    memory = min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *map(_limit_bytes, _LIMITS))
    return int(min(_MOST_BYTES, memory // _SHARE_OF_MEMORY))


def _limit_bytes(file: Path) -> float:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no cgroup of that version, or no limit: "max"
        return math.inf


class KeptFrames:
    """All frames that were read, if ``room`` bytes are enough for the whole clip; otherwise those read last.

    To keep only part of a clip does not help: after that part, each loop would have to seek in the clip and decode from
    the key frame before.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._frames: dict[int, VideoFrame] = {}
        self._largest = 0
        self._count = 0

    def get(self, number: int) -> VideoFrame | None:
        """Return a frame with empty side data, or ``None`` if it is not kept."""
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
        """Keep a frame of a clip of ``count`` frames. If ``count`` has changed, the others may have new numbers."""
        if count != self._count:
            self.clear()
        self._count = count
        self._largest = max(self._largest, _size(frame))
        has_room = self._largest * count <= self._room
        self._frames[number] = _in_own_memory(frame) if has_room else frame

    def clear(self) -> None:
        """Keep none."""
        self._frames.clear()


def _in_own_memory(frame: VideoFrame) -> VideoFrame:
    """Copy a frame that stays to memory of its own, which goes back to the system with the frame.

    A decoder's pool returns its memory only with the last of its frames, and the allocator keeps up to 64 MB for each
    thread: a preview that was run again kept 200 MB for a 720p clip of five seconds.
    """
    if isinstance(frame.origin, DecodedPicture):
        return VideoFrame(None, frame.timestamp, frame.time_base, origin=_copied(frame.origin))
    pixels = frame.view()
    copy = _new_memory(pixels.shape)
    copy[:] = pixels
    return VideoFrame.from_pixels(copy, frame.pts, frame.time_base)


def _copied(picture: DecodedPicture) -> DecodedPicture:
    """Copy a picture if PyAV can make one in given memory: 8 bits, 4:2:0, of even size."""
    frame = picture.frame
    if frame.format.name not in _COPIED_FORMATS or frame.width % 2 or frame.height % 2:
        return picture
    memory = _new_memory((frame.height * 3 // 2, frame.width))
    copy = av.VideoFrame.from_numpy_buffer(memory, format=frame.format.name)
    for to, of in zip(copy.planes, frame.planes, strict=True):
        samples_of(to)[:] = samples_of(of)
    copy.pts, copy.time_base = frame.pts, frame.time_base
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    return replace(picture, frame=copy)


def _new_memory(shape: tuple[int, ...]) -> Pixels:
    """Return memory that does not come from the allocator."""
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE  # gets all its pages at once, without a page fault for each
    return np.frombuffer(mmap(-1, math.prod(shape), flags), np.uint8).reshape(shape)


def _size(frame: VideoFrame) -> int:
    """Return how many bytes a frame's picture takes."""
    if isinstance(frame.origin, DecodedPicture):
        return sum(plane.buffer_size for plane in frame.origin.frame.planes)
    return frame.view().nbytes
