"""Reads clips, for the preview, verify and regressions alike: the frames that a player shows, by number."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.deinterlace import deinterlaced
from byoc_kit.media.demux import DamageError, decoded, open_clip, readable, video_stream
from byoc_kit.media.picture import DecodedPicture
from byoc_kit.media.picture_table import Entry, PictureTable, read_table
from byoc_kit.media.presentation import shown

logger = logging.getLogger(__name__)


class Clip:
    """A clip's frames by number: those that a player shows, in their order and with their times.

    It reads the stream that a player chooses. Pictures that an edit list hides are left out; the others are turned
    upright and deinterlaced. Pixels that are not square stay as stored: ``frame.origin.display.pixel_aspect`` is their
    shape.

    Opening reads every packet, but decodes only the first pictures. Reading frames begins to decode at the key frame
    before the first of them. If a picture of a damaged clip then proves to be missing, it is left out: ``count`` goes
    down by one, and ``damaged`` up by one. ``on_damage`` is told at the end of that reading; by default it logs.

    Raises ``MediaError`` if the clip cannot be opened.
    """

    def __init__(self, path: str | Path, *, on_damage: Callable[[str], object] = logger.warning) -> None:
        self._path = Path(path)
        self._on_damage = on_damage
        self._table = read_table(self._path)
        self._lock = threading.Lock()
        self._damage_said = 0
        self._is_quick = self._table.damaged == 0
        self.name = self._path.name
        self.fps = self.count / max(self._table.time_s(self.count), 1e-3)
        self._say_damage()

    @property
    def count(self) -> int:
        """How many frames there are. It goes down if reading a damaged clip finds that a picture is missing."""
        return len(self._table.times)

    @property
    def times(self) -> list[int]:
        """When each frame is shown, its ``pts``, in units of ``time_base``."""
        return self._table.times

    @property
    def time_base(self) -> Fraction:
        """The unit of ``times``, in seconds."""
        return self._table.time_base

    @property
    def has_own_times(self) -> bool:
        """Whether the file says when each frame is shown; otherwise its frame rate decides."""
        return not self._table.is_counted

    @property
    def damaged(self) -> int:
        """How many pictures are known so far that cannot be decoded and are left out."""
        return self._table.damaged

    def time_s(self, number: int) -> float:
        """Return when a frame is shown, the first one at 0; from ``count`` on, return when the last frame ends."""
        if number < 0:
            check_number(number, self.count)
        return self._table.time_s(number)

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """Yield the frames from number ``start`` on, as new objects. Closing the generator closes its files."""
        table = self._table
        check_number(start, len(table.times))
        return self._frames(start, table)

    def _frames(self, start: int, table: PictureTable) -> Generator[VideoFrame]:
        wanted = table.times[start]
        while True:
            try:
                for frame in self._from(bisect_left(table.times, wanted), table):
                    if frame.pts >= wanted:
                        wanted = frame.pts + 1
                        yield frame
            except DamageError:
                self._is_quick = False  # go on from there, and decode each picture by itself
            else:
                return
            if wanted > table.times[-1]:
                self._leave_out(table.times[-1], None)
                return

    def _from(self, number: int, table: PictureTable) -> Iterator[VideoFrame]:
        """Yield the frames from a number on, perhaps with the one before it."""
        first = max(0, number - table.is_interlaced)  # deinterlacing also uses the picture before
        return self._count_to(first, table) if table.is_counted else self._enter(table.times[first], table)

    def _enter(self, wanted: int, table: PictureTable) -> Generator[VideoFrame]:
        """Yield the frames from the time ``wanted`` on."""
        for entry in _entries_before(wanted, table):
            with open_clip(self._path, is_quick=self._is_quick) as container:
                stream = video_stream(container)
                pictures = decoded(stream, _packets_from(container, stream, entry), wanted=wanted)
                if entry is not None:
                    key = next((picture for picture in pictures if _time(picture) >= entry.pts), None)
                    if key is None or key.pts != entry.pts:
                        continue  # decoding cannot begin here: it has no whole picture, or the seek went wrong
                    pictures = chain((key,), pictures)
                yield from shown(stream, deinterlaced(self._follow(pictures, wanted - 1)), table.turn)
                return

    def _count_to(self, first: int, table: PictureTable) -> Generator[VideoFrame]:
        """Yield the frames from number ``first`` on, in a clip whose times are made up."""
        with open_clip(self._path, is_quick=self._is_quick) as container:
            stream = video_stream(container)
            pictures = decoded(stream, readable(container, stream))
            yield from shown(stream, deinterlaced(islice(self._timed(pictures, table), first, None)), table.turn)

    def _follow(self, pictures: Iterator[av.VideoFrame], last: int) -> Iterator[av.VideoFrame]:
        for picture in pictures:
            time = _time(picture)
            if time <= last or not self._has(time):
                continue
            self._leave_out(last, time)
            last = time
            yield picture
        self._leave_out(last, None)

    def _timed(self, pictures: Iterator[av.VideoFrame], table: PictureTable) -> Iterator[av.VideoFrame]:
        last = table.times[0] - 1
        for time, picture in zip(table.times, pictures, strict=False):
            last = time
            picture.pts, picture.time_base = time, table.time_base
            yield picture
        self._leave_out(last, None)

    def _has(self, time: int) -> bool:
        times = self._table.times
        at = bisect_left(times, time)
        return at < len(times) and times[at] == time

    def _leave_out(self, after: int, before: int | None) -> None:
        """Leave out the pictures between two times, since they did not come."""
        with self._lock:
            times = self._table.times
            begin = bisect_right(times, after)
            end = len(times) if before is None else bisect_left(times, before)
            if begin < end:
                damaged = self._table.damaged + end - begin
                self._table = replace(self._table, times=times[:begin] + times[end:], damaged=damaged)
        if before is None:
            self._say_damage()

    def _say_damage(self) -> None:
        damaged, said = self._table.damaged, self._damage_said
        if damaged > said:
            self._damage_said = damaged
            which = (
                "1 picture cannot be decoded and is"
                if damaged == 1
                else f"{damaged} pictures cannot be decoded and are"
            )
            self._on_damage(f"{self._path} is damaged: {which} left out")


def _entries_before(wanted: int, table: PictureTable) -> Iterator[Entry | None]:
    """Yield key frames to begin decoding at: the nearest one before, then earlier ones, then ``None`` for the start."""
    at = bisect_right(table.entries, wanted, key=lambda entry: entry.pts) - 1
    back = 1
    while at > 0:  # the first is as good as the start
        yield table.entries[at]
        at -= back
        back *= 2
    yield None


def _packets_from(container: InputContainer, stream: VideoStream, entry: Entry | None) -> Iterator[Packet]:
    """Yield the packets from an entry's on; none, if it does not follow the place that seeking leads to."""
    if entry is None:
        yield from readable(container, stream)
        return
    try:
        container.seek(entry.seek_to, stream=stream)
    except av.FFmpegError:
        return  # a file in which libav cannot seek is read from the start
    packets = readable(container, stream)
    for packet in packets:
        if packet.is_keyframe and packet.pts is not None and packet.pts >= entry.pts:
            if packet.pts == entry.pts:
                yield packet
                yield from packets
            return


def _time(picture: av.VideoFrame) -> int:
    return -(1 << 63) if picture.pts is None else picture.pts


def read_clip(path: Path | str, *, width: int | None = None) -> Iterator[VideoFrame]:
    """Yield the frames of a ``Clip`` in order; with ``width``, scaled to that many pixels per row, in the same shape.

    Raises ``MediaError`` if the clip cannot be opened.
    """
    for frame in Clip(path).frames():
        yield frame if width is None else _scaled(frame, width)


def _scaled(frame: VideoFrame, width: int) -> VideoFrame:
    assert isinstance(frame.origin, DecodedPicture)  # noqa: S101  # that of a clip
    height = max(1, round(frame.height * width / frame.width))
    pixels = frame.origin.to_pixels(size=(width, height), interpolation="BILINEAR")  # as golden frames were made
    return VideoFrame.from_pixels(pixels, frame.pts, frame.time_base)


def check_number(number: int, count: int) -> None:
    """Raise ``IndexError`` if no frame has this number."""
    if not 0 <= number < count:
        msg = f"there is no frame {number}; the frames are 0 to {count - 1}"
        raise IndexError(msg)
