"""Runs short streams after the first, through the same processor, to show what it remembers of an earlier stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeAlias

import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import Ran, run_frames
from byoc_kit.errors import in_one_line
from byoc_kit.system.concurrency import call_on_thread

_FRAMES = 8
_MOST_BYTES = 64 << 20  # the size of the pictures that are kept for the comparison
_FIRST, _SAME, _HALF = range(3)
_RESET = "keep what belongs to a stream in byoc_kit.stream_state(), or reset it in on_stream_start"

Open: TypeAlias = Callable[[], Iterator[VideoFrame]]
Place: TypeAlias = Callable[[str, BaseException], str]


@dataclass(frozen=True)
class Memory:
    """How a later stream differs from a first one, in one sentence; empty if it does not.

    ``is_failure`` says that a hook raised. Different pictures may be intended: a random generator goes on from stream
    to stream.
    """

    said: str = ""
    is_failure: bool = False


UNFINISHED = Memory("it ended the process", is_failure=True)
"""The result while the later streams run; it stays if the process ends meanwhile."""


@dataclass
class _Stream:
    """The results of a stream's first frames: for each a picture, nothing, or an exception."""

    pictures: list[Pixels | None] = field(default_factory=list)
    errors: list[BaseException | None] = field(default_factory=list)
    size: str = ""

    def take(self, ran: Ran) -> None:
        self.pictures.append(None if ran.output is None else ran.output.view().copy())
        self.errors.append(ran.error)
        self.size = f"{ran.source.width}x{ran.source.height}"

    @property
    def bytes(self) -> int:
        return sum(picture.nbytes for picture in self.pictures if picture is not None)

    @property
    def raised(self) -> list[BaseException]:
        return [error for error in self.errors if error is not None]


class LaterStreams:
    """Runs two more streams after the clip's own: its first frames again, and then these at half the size.

    All go through the same processor on the same thread, with ``on_stream_stop`` and ``on_stream_start`` between them,
    as in a container. ``open_clip`` yields the clip's frames. ``on_first`` is called at the end of the clip's stream.
    """

    def __init__(
        self, processor: FrameProcessor, params: Params, open_clip: Open, on_first: Callable[[], None]
    ) -> None:
        self._processor, self._params, self._open, self._on_first = processor, params, open_clip, on_first
        self._streams = [_Stream(), _Stream(), _Stream()]
        self._at = _FIRST
        self._hook = ""
        self._failure: BaseException | None = None

    @property
    def is_first(self) -> bool:
        """Whether the running stream is the clip's own."""
        return self._at == _FIRST

    @property
    def number(self) -> int:
        """The number of the running stream, from 1."""
        return self._at + 1

    @property
    def done(self) -> int:
        """How many frames of the running stream are kept."""
        return len(self._streams[self._at].errors)

    @property
    def length(self) -> int:
        """How many frames a later stream has."""
        return max(1, len(self._streams[_FIRST].errors))

    def frames(self) -> Iterator[VideoFrame]:
        """Yield the frames of all streams, and run the hooks between two streams."""
        yield from self._open()
        self._on_first()
        for at in (_SAME, _HALF):
            if not self._restart():
                return
            self._at = at
            yield from self._frames_of(at)

    def take(self, ran: Ran) -> None:
        """Keep the result of a frame if it is one of its stream's first."""
        stream = self._streams[self._at]
        if len(stream.errors) < _FRAMES and stream.bytes < _MOST_BYTES:
            stream.take(ran)

    def memory(self, place: Place, *, max_diff: int, make_fresh: Callable[[], FrameProcessor]) -> Memory:
        """Return how earlier streams show in a later one.

        ``make_fresh`` makes a processor that remembers nothing. If a size raises in that too, memory is not the cause.
        """
        first, same, half = self._streams
        if self._failure is not None:
            where = place(self._hook, self._failure)
            said = f"it does not start: {self._hook} raises {in_one_line(self._failure)} ({where})"
            return Memory(said, is_failure=True)
        if half.raised and not first.raised and not self._raises(make_fresh):
            count = f"{len(half.raised)} of {len(half.errors)} frames"
            said = f"at {half.size} after {first.size}: {count} raise {_said(half.raised[0], place)}; {_RESET}"
            return Memory(said, is_failure=True)
        return _difference(first, same, place, max_diff)

    def _restart(self) -> bool:
        """End the running stream and start another one. Returns whether that worked."""
        start = partial(self._processor.start_stream, self._params)
        try:
            for name, hook in (("on_stream_stop", self._processor.stop_stream), ("on_stream_start", start)):
                self._hook = name
                call_on_thread(hook, name=name)
        except BaseException as error:  # noqa: BLE001  # shows any exception of a hook, also SystemExit
            self._failure = error
        return self._failure is None

    def _frames_of(self, at: int) -> Iterator[VideoFrame]:
        frames = islice(self._open(), self.length)
        return frames if at == _SAME else map(_halved, frames)

    def _raises(self, make_fresh: Callable[[], FrameProcessor]) -> bool:
        """Whether a processor without memory also raises at half the size, or cannot be made twice."""
        stream = _Stream()
        try:
            run_frames(make_fresh(), self._frames_of(_HALF), self._params, stream.take)
        except BaseException:  # noqa: BLE001  # a second model may not fit on the GPU, and then the cause stays unknown
            return True
        return bool(stream.raised)


def _difference(first: _Stream, second: _Stream, place: Place, max_diff: int) -> Memory:
    for number, (was, error) in enumerate(zip(first.pictures, second.errors, strict=False)):
        now = second.pictures[number]
        if error is not None and first.errors[number] is None:
            return Memory(f"frame {number} raises {_said(error, place)}; {_RESET}", is_failure=True)
        if first.errors[number] is not None or (was is None and now is None):
            continue
        if was is None or now is None or was.shape != now.shape:
            said = f"frame {number} is {_shown(now)}, in the first stream it is {_shown(was)}"
            return Memory(f"{said}; if you do not want that, {_RESET}")
        apart = int(np.abs(was.astype(np.int16) - now).max())
        if apart > max_diff:
            said = f"frame {number} is up to {apart} of 255 from that of the first stream"
            return Memory(f"{said}; if you do not want that, {_RESET}")
    return Memory()


def _said(error: BaseException, place: Place) -> str:
    return f"{in_one_line(error)} ({place('process_frame', error)})"


def _shown(picture: Pixels | None) -> str:
    return "dropped" if picture is None else f"{picture.shape[1]}x{picture.shape[0]}"


def _halved(frame: VideoFrame) -> VideoFrame:
    """Return a frame of half the width and height, both even, as an encoder needs them."""
    height, width = (side // 4 * 4 for side in frame.view().shape[:2])
    smaller = np.ascontiguousarray(frame.view()[:height:2, :width:2])
    return VideoFrame.from_pixels(smaller, frame.pts, frame.time_base)
