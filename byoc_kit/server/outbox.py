"""What waits to be encoded: few frames, for which the worker waits, and sound, for which nobody does."""

from __future__ import annotations

from typing import TypeAlias

from av.packet import Packet

from byoc_kit.core.frame_queue import FrameQueue, Lane
from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.media.encode import SegmentWriter

MAX_FRAMES = 4
MAX_AUDIO = 500

Item: TypeAlias = VideoFrame | AudioFrame | Packet | SegmentWriter


class Outbox:
    """A queue with two bounds. A ``SegmentWriter`` in it is the one to write with from there on.

    ``frames_lost`` counts the frames that still waited when the outbox was abandoned.
    """

    def __init__(self) -> None:
        self.frames_lost = 0
        self._queue: FrameQueue[Item] = FrameQueue(MAX_FRAMES)
        self._audio = Lane(MAX_AUDIO, drops="newest")
        self._writers = Lane(MAX_FRAMES + MAX_AUDIO + 1)  # which never fills: two of them have something in between

    @property
    def audio_lost(self) -> int:
        """How much sound found no room."""
        return self._audio.lost

    def put_frame(self, frame: VideoFrame) -> None:
        """Add a frame; waits while four are there, so that the stage drops at its entry instead."""
        if not self._queue.put(frame):
            self.frames_lost += 1

    def put_audio(self, audio: AudioFrame | Packet) -> None:
        """Add sound; never waits: where 500 items are there, about ten seconds, this one is lost and counted."""
        self._queue.put(audio, self._audio)

    def put_writer(self, writer: SegmentWriter) -> None:
        """Let what follows be written by another writer; one of which nothing was to be written is let go."""
        unused = self._queue.take_back(SegmentWriter)
        if isinstance(unused, SegmentWriter):
            unused.abandon()  # an output of PyAV's must be closed before it is collected
        if not self._queue.put(writer, self._writers):
            writer.abandon()

    def take(self) -> Item | None:
        """Return the next item, waiting for it; ``None`` at the end."""
        return self._queue.take()

    def finish(self) -> None:
        """Say that nothing follows."""
        self._queue.finish()

    def abandon(self) -> None:
        """Let go of everything, and of who waits."""
        for item in self._queue.close():
            self.frames_lost += isinstance(item, VideoFrame)
            if isinstance(item, SegmentWriter):
                item.abandon()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody takes anything any more."""
        return self._queue.is_closed
