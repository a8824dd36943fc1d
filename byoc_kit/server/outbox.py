"""What waits to be encoded: few frames, for which the worker waits, and sound, for which nobody does."""

from __future__ import annotations

import threading
from collections import deque
from typing import TypeAlias

from av.packet import Packet

from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.media.encode import SegmentWriter

MAX_FRAMES = 4
MAX_SOUND = 500

Item: TypeAlias = VideoFrame | AudioFrame | Packet | SegmentWriter


class Outbox:
    """A queue with two bounds. A ``SegmentWriter`` in it is the one to write with from there on.

    ``sound_lost`` counts the sound that found no room, ``frames_lost`` the frames of which the outbox was let go.
    """

    def __init__(self) -> None:
        self.sound_lost = 0
        self.frames_lost = 0
        self._items: deque[Item] = deque()
        self._frames = 0
        self._is_finished = False
        self._is_abandoned = False
        self._changed = threading.Condition()

    def put_frame(self, frame: VideoFrame) -> None:
        """Add a frame; waits while four are there, so that the stage drops at its entry instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames < MAX_FRAMES or self._is_abandoned)
            self._frames += 1
            self._add(frame)

    def put_sound(self, sound: AudioFrame | Packet) -> None:
        """Add sound; never waits: where 500 items are there, about ten seconds, this one is lost and counted."""
        with self._changed:
            if len(self._items) - self._frames >= MAX_SOUND:
                self.sound_lost += 1
                return
            self._add(sound)

    def put_writer(self, writer: SegmentWriter) -> None:
        """Let what follows be written by another writer; one of which nothing was to be written is let go."""
        with self._changed:
            if self._items and isinstance(self._items[-1], SegmentWriter):
                _let_go(self._items.pop())
            self._add(writer)

    def take(self) -> Item | None:
        """Return the next item, waiting for it; ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_finished or self._is_abandoned)
            if not self._items or self._is_abandoned:
                return None
            item = self._items.popleft()
            self._frames -= isinstance(item, VideoFrame)
            self._changed.notify_all()
            return item

    def finish(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Let go of everything, and of who waits."""
        with self._changed:
            self._is_abandoned = True
            dropped, self._items = self._items, deque()
            self.frames_lost += sum(isinstance(item, VideoFrame) for item in dropped)
            self._changed.notify_all()
        for item in dropped:
            _let_go(item)

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody takes anything any more."""
        return self._is_abandoned

    def _add(self, item: Item) -> None:
        if self._is_abandoned:
            self.frames_lost += isinstance(item, VideoFrame)
            _let_go(item)
            return
        self._items.append(item)
        self._changed.notify_all()


def _let_go(item: Item) -> None:
    if isinstance(item, SegmentWriter):
        item.abandon()  # an output of PyAV's must be closed before it is collected
