"""Comparing what came back with what the hooks make of the same frames without a network between."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import av

from byoc_kit.frames import Pixels, VideoFrame
from byoc_kit.media.access_units import access_units
from byoc_kit.media.decode import MediaError, open_stream, to_video_frame
from byoc_kit.media.live_clip import LiveClip
from byoc_kit.media.quality import Quality, compare
from byoc_kit.verify.replay import Outcome, Replay
from byoc_kit.verify.stream import Received
from byoc_kit.verify.streamed import FrameResult, Pictures, Streamed

_PICTURES = 5


def judge(streamed: Streamed, clip: LiveClip, received: Received, truth: Replay | None, kept: tuple[int, ...]) -> None:
    """Fill the frames and the pictures of ``streamed``. Frames are matched by their time.

    Those that are kept are compared with ``truth``, where there is one.
    """
    due_s = clip.picture_times_s
    shown = {kept[round(i * (len(kept) - 1) / (_PICTURES - 1))] for i in range(_PICTURES)}
    compared: list[int] = []

    def pairs() -> Iterator[tuple[Pixels, Pixels]]:
        back = _Back(bytes(received.data))
        for number, source in enumerate(clip.frames()):
            arrived_s = received.arrived_s.get(source.pts)
            latency_s = None if arrived_s is None else arrived_s - received.started_s - due_s[source.pts]
            outcome = truth.by_pts[source.pts].outcome if truth else Outcome.MADE
            frame = back.at(source.pts)
            is_wanted = outcome is not Outcome.DROPPED
            streamed.frames.append(FrameResult(source.pts, latency_s, is_wanted=is_wanted, is_back=frame is not None))
            expected = truth.pixels(number) if truth else None
            if frame is None or expected is None:
                continue
            height, width, _ = expected.shape
            expected = expected[: height // 2 * 2, : width // 2 * 2]  # the encoder leaves out an odd row and column
            if expected.shape != frame.pixels.shape:
                _note_size(streamed, number, frame, expected)
                continue
            if number in shown:
                streamed.pictures.append(Pictures(number, source.pixels, expected, frame.pixels))
            compared.append(number)
            yield expected, frame.pixels

    qualities = [quality for _, of_a_size in groupby(pairs(), key=_size) for quality in compare(of_a_size)]
    for number, quality in zip(compared, qualities, strict=True):
        streamed.frames[number] = replace(streamed.frames[number], quality=quality)


class _Back:
    """The frames that came back, to be asked for in the order of their times."""

    def __init__(self, data: bytes) -> None:
        self._frames = _decoded(data)
        self._next = next(self._frames, None)

    def at(self, pts: int) -> VideoFrame | None:
        """Return the frame of that time."""
        while self._next is not None and self._next.pts < pts:
            self._next = next(self._frames, None)
        return self._next if self._next is not None and self._next.pts == pts else None


def _decoded(data: bytes) -> Iterator[VideoFrame]:
    """Decode what came back, as far as that goes; nothing for bytes that hold no video."""
    try:
        with open_stream(io.BytesIO(data)) as container:
            for packet in access_units(container.demux(video=0)):
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        yield to_video_frame(frame)
    except (MediaError, av.FFmpegError, IndexError):
        return


def _note_size(streamed: Streamed, number: int, frame: VideoFrame, expected: Pixels) -> None:
    streamed.frames[number] = replace(streamed.frames[number], quality=Quality(0.0, 0.0))
    if not streamed.misfit:
        height, width, _ = expected.shape
        streamed.misfit = f"frame {number} came back {frame.width}x{frame.height}, not {width}x{height}"


def _size(pair: tuple[Pixels, Pixels]) -> tuple[int, ...]:
    return pair[0].shape
