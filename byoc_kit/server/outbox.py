"""The queue before the encoder. A full queue makes the stage's worker wait, and drops sound."""

from __future__ import annotations

from typing import TypeAlias

from av.packet import Packet

from byoc_kit.core.frame_queue import FrameQueue, Limit
from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.media.encode import SegmentWriter

MAX_FRAMES = 4
MAX_AUDIO = 500

Item: TypeAlias = VideoFrame | AudioFrame | Packet | SegmentWriter


class Outbox:
    """A queue with one limit for frames and another for sound.

    A ``SegmentWriter`` in it writes the items that follow. ``frames_lost`` counts the frames that still waited when the
    outbox was abandoned.
    """

    def __init__(self) -> None:
        self.frames_lost = 0
        self._queue: FrameQueue[Item] = FrameQueue(MAX_FRAMES)
        self._audio = Limit(MAX_AUDIO, drops="newest")
        self._writers = Limit(MAX_FRAMES + MAX_AUDIO + 1)  # never full: there is an item between any two of them

    @property
    def audio_lost(self) -> int:
        """How many items of sound were dropped because the queue was full."""
        return self._audio.lost

    def put_frame(self, frame: VideoFrame) -> None:
        """Add a frame. Waits while four are queued, so that the stage drops frames at its entry instead."""
        if not self._queue.put(frame):
            self.frames_lost += 1

    def put_audio(self, audio: AudioFrame | Packet) -> None:
        """Add sound, without waiting. While 500 items are queued, about ten seconds, it is dropped and counted."""
        self._queue.put(audio, self._audio)

    def put_writer(self, writer: SegmentWriter) -> None:
        """Write the following items with another writer, and drop the last writer if no item followed it."""
        unused = self._queue.take_back(SegmentWriter)
        if isinstance(unused, SegmentWriter):
            unused.abandon()  # PyAV wants an output closed before it is collected
        if not self._queue.put(writer, self._writers):
            writer.abandon()

    def take(self) -> Item | None:
        """Return the next item, waiting for it; ``None`` at the end."""
        return self._queue.take()

    def finish(self) -> None:
        """Mark the end: no more items follow."""
        self._queue.finish()

    def abandon(self) -> None:
        """Drop all items, and wake whoever waits."""
        for item in self._queue.close():
            self.frames_lost += isinstance(item, VideoFrame)
            if isinstance(item, SegmentWriter):
                item.abandon()

    @property
    def is_abandoned(self) -> bool:
        """Whether ``abandon`` was called."""
        return self._queue.is_closed
