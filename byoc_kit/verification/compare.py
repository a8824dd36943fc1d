"""Compares the frames that the notebook, the module, the server and the container made of a clip."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import av
import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.media.access_units import access_units
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.demux import MediaError, open_stream
from byoc_kit.media.paced_clip import LiveClip
from byoc_kit.media.quality import Quality, compare
from byoc_kit.verification.replay import Outcome, Replay, Replayed
from byoc_kit.verification.result import Difference, FrameResult, Pictures, Streamed
from byoc_kit.verification.stream_clip import Received

_PICTURES = 5


def compare_replays(notebook: Replay, module: Replay) -> Difference:
    """Compare frame by frame: all frames by their hash, and the kept ones by their pixels."""
    pairs = list(zip(notebook.frames, module.frames, strict=True))
    for ours, theirs in pairs:
        if (ours.outcome, ours.size) != (theirs.outcome, theirs.size):
            text = f"frame {ours.number} {_said(theirs)}, in the notebook it {_said(ours)}"
            return Difference(255, is_alike=False, text=text)
    changed = [ours.number for ours, theirs in pairs if ours.sha256 != theirs.sha256]
    if not changed:
        return Difference(0)
    apart = {number: _apart(notebook, module, number) for number in changed}
    worst = max(changed, key=lambda number: apart[number])
    text = f"frame {worst}: up to {apart[worst]} of 255" if apart[worst] else f"frame {worst} differs"
    if len(changed) > 1:
        text += f"; {len(changed)} of {len(pairs)} frames differ"
    if len(changed) < len(pairs) and changed == [ours.number for ours, _ in pairs][: len(changed)]:
        text += ", the first ones: does on_stream_start reset what cells before have left?"
    return Difference(apart[worst], text=text)


def _apart(notebook: Replay, module: Replay, number: int) -> int:
    ours, theirs = notebook.pixels(number), module.pixels(number)
    if ours is None or theirs is None:
        return 0
    return int(np.abs(ours.astype(np.int16) - theirs).max())


def _said(frame: Replayed) -> str:
    match frame.outcome:
        case Outcome.MADE:
            return f"is {frame.size}"
        case Outcome.DROPPED:
            return "is dropped"
        case Outcome.RAISED:
            return f"raises {frame.error}"


def compare_streamed(
    streamed: Streamed, clip: LiveClip, received: Received, truth: Replay | None, kept: tuple[int, ...]
) -> None:
    """Fill the frames and the pictures of ``streamed``. Frames are matched by their time.

    The kept frames are compared with ``truth``, if there is one.
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
            expected = expected[: height // 2 * 2, : width // 2 * 2]  # the encoder drops an odd last row and column
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
    """The frames that came back; ask for them in the order of their times."""

    def __init__(self, data: bytes) -> None:
        self._frames = _decoded(data)
        self._next = next(self._frames, None)

    def at(self, pts: int) -> VideoFrame | None:
        """Return the frame of that time."""
        while self._next is not None and self._next.pts < pts:
            self._next = next(self._frames, None)
        return self._next if self._next is not None and self._next.pts == pts else None


def _decoded(data: bytes) -> Iterator[VideoFrame]:
    """Decode what came back, as far as possible; yield nothing if the bytes hold no video."""
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
