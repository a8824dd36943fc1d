"""Comparing what came back with what was expected, frame by frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av

from byoc_kit.frames import Pixels, VideoFrame
from byoc_kit.media.clip import LiveClip
from byoc_kit.media.decode import MediaError, open_stream, to_video_frame, whole_packets
from byoc_kit.media.quality import compare
from byoc_kit.verify.result import FrameResult, Result
from byoc_kit.verify.stream import Received

_PICTURES = 5


@dataclass(frozen=True)
class Pictures:
    """One frame of the clip, what ``process_frame`` makes of it, and what came back."""

    number: int
    source: Pixels
    expected: Pixels
    received: Pixels


def judge(
    result: Result, clip: LiveClip, received: Received, process: Callable[[VideoFrame], VideoFrame | None]
) -> list[Pictures]:
    """Fill ``result.frames``; returns the pictures for the report. Frames are matched by their time."""
    due_s = clip.picture_times_s
    back = _frames(bytes(received.data))
    awaited = next(back, None)
    matched: list[int] = []
    pictures: list[Pictures] = []
    wanted = {round(i * (len(due_s) - 1) / (_PICTURES - 1)) for i in range(_PICTURES)}

    def pairs() -> Iterator[tuple[Pixels, Pixels]]:
        nonlocal awaited
        for number, source in enumerate(_frames(clip.data)):
            arrived_s = received.arrived_s.get(source.pts)
            latency_s = None if arrived_s is None else arrived_s - received.started_s - due_s[source.pts]
            result.frames.append(FrameResult(source.pts, latency_s))
            expected = _expect(process, source)
            while awaited is not None and awaited.pts < source.pts:
                awaited = next(back, None)
            if expected is None or awaited is None or awaited.pts != source.pts:
                continue
            picture = _cut_to(expected.pixels, awaited)
            if number in wanted:
                pictures.append(Pictures(number, source.pixels, picture, awaited.pixels))
            matched.append(number)
            yield picture, awaited.pixels

    for number, quality in zip(matched, compare(pairs()), strict=True):
        before = result.frames[number]
        result.frames[number] = FrameResult(before.pts, before.latency_s, quality)
    return pictures


def _expect(process: Callable[[VideoFrame], VideoFrame | None], source: VideoFrame) -> VideoFrame | None:
    """Run ``process_frame``; where it raises, the container lets the original through, and counts it."""
    try:
        return process(source)
    except Exception:  # noqa: BLE001  # the container has counted and shown it; its check is in the verdict
        return source


def _cut_to(expected: Pixels, received: VideoFrame) -> Pixels:
    """Leave out the odd last row and column, as the encoder does."""
    return expected[: received.height, : received.width]


def _frames(data: bytes) -> Iterator[VideoFrame]:
    """Decode MPEG-TS bytes; nothing for bytes that hold no video."""
    try:
        with open_stream(io.BytesIO(data)) as container:
            for packet in whole_packets(container.demux(video=0)):
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        yield to_video_frame(frame)
    except (MediaError, av.FFmpegError, IndexError):
        return
