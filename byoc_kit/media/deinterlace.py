"""Deinterlaces pictures: each becomes one frame, with all its rows at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import TypeAlias

import av
from av.filter import Graph
from av.filter.context import FilterContext

# One frame comes out for each that goes in. Pictures that are not flagged as interlaced stay as they are.
_BWDIF = "mode=send_frame:parity=auto:deint=interlaced"

_Format: TypeAlias = tuple[int, int, str]


def deinterlaced(pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield each picture with its time. Those that are flagged as interlaced are deinterlaced.

    The pictures before and after are used for that too, so the first and last picture of a part of a clip look
    different from the same pictures of the whole clip.
    """
    deinterlacer = Deinterlacer()
    for picture in pictures:
        yield from deinterlacer.push(picture)
    yield from deinterlacer.flush()


class Deinterlacer:
    """Takes pictures in the order of their times, and returns them deinterlaced, with their times.

    Progressive pictures are returned at once. From the first interlaced picture on, each is held until the next comes.
    """

    def __init__(self) -> None:
        self._format: _Format | None = None
        self._graph: Graph | None = None  # its two ends do not keep it alive
        self._source: FilterContext
        self._sink: FilterContext
        self._held: deque[tuple[int | None, Fraction | None]] = deque()

    def push(self, picture: av.VideoFrame) -> list[av.VideoFrame]:
        """Add a picture, and return those that are ready."""
        format_ = picture.width, picture.height, picture.format.name
        ready = self.flush() if self._graph is not None and format_ != self._format else []
        if self._graph is None:
            if not picture.interlaced_frame:
                return [*ready, picture]
            self._open(picture, format_)
        self._held.append((picture.pts, picture.time_base))
        self._source.push(picture)
        return ready + self._pull()

    def flush(self) -> list[av.VideoFrame]:
        """Return the pictures that are held, and start again with the next one."""
        if self._graph is None:
            return []
        if self._held:
            self._source.push(None)  # type: ignore[arg-type]  # the end of the video, which PyAV's stub leaves out
        ready = self._pull()
        self._graph = None
        self._held.clear()
        return ready

    def _open(self, picture: av.VideoFrame, format_: _Format) -> None:
        graph = Graph()
        width, height, _ = format_
        time_base = picture.time_base or Fraction(1, 90_000)
        self._source = graph.add_buffer(width=width, height=height, format=picture.format, time_base=time_base)
        bwdif = graph.add("bwdif", _BWDIF)
        self._sink = graph.add("buffersink")
        self._source.link_to(bwdif)
        bwdif.link_to(self._sink)
        graph.configure()
        self._graph, self._format = graph, format_

    def _pull(self) -> list[av.VideoFrame]:
        ready = []
        with suppress(av.BlockingIOError, av.EOFError):  # nothing more, for now or at all
            while True:
                picture = self._sink.pull()
                assert isinstance(picture, av.VideoFrame)  # noqa: S101  # what a graph of pictures gives
                picture.pts, picture.time_base = self._held.popleft()  # type: ignore[assignment]  # None is no time
                ready.append(picture)
        return ready
