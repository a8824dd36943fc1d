"""A video file whose frames can be asked for by number, each exactly."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet

from byoc_kit.frames import VideoFrame
from byoc_kit.media.decode import open_clip, to_video_frame
from byoc_kit.sources.decoding import decoded, readable, video_decoder
from byoc_kit.sources.picture_table import Entry, PictureTable, read_table
from byoc_kit.sources.reel import check_number


class Clip:
    """A clip's frames by number, as decoding it from the start would give them.

    Opening reads every packet, but decodes only the first pictures. A reading begins at the key frame before, and
    decodes from there. A picture that then turns out not to be there, since the clip is damaged, is left out, and
    :attr:`count` is one less from then on. A rotation that the file asks for is ignored, as in the rest of the kit.
    Raises :class:`~byoc_kit.media.decode.MediaError`, naming the clip, where it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._table = read_table(self._path)
        self._lock = threading.Lock()
        self.name = self._path.name
        self.fps = self.count / max(self._table.time_s(self.count), 1e-3)

    @property
    def count(self) -> int:
        """See :attr:`Reel.count`."""
        return len(self._table.times)

    def time_s(self, number: int) -> float:
        """See :meth:`Reel.time_s`."""
        if number < 0:
            check_number(number, self.count)
        return self._table.time_s(number)

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """See :meth:`Reel.frames`."""
        table = self._table
        check_number(start, len(table.times))
        return self._count_to(start, table) if table.is_counted else self._enter(table.times[start], table)

    def _enter(self, wanted: int, table: PictureTable) -> Generator[VideoFrame]:
        """Yield the frames from the time ``wanted`` on."""
        for entry in _entries_before(wanted, table):
            with open_clip(self._path) as container:
                video_decoder(container).thread_type = "AUTO"  # many pictures may have to be decoded before the wanted
                pictures = decoded(container, _packets_from(container, entry), wanted=wanted)
                if entry is not None:
                    key = next((picture for picture in pictures if _time(picture) >= entry.pts), None)
                    if key is None or key.pts != entry.pts:
                        continue  # the video cannot be entered here: it is refreshed bit by bit, or the seek went wrong
                    pictures = chain((key,), pictures)
                yield from self._follow(pictures, container, wanted - 1)
                return

    def _follow(self, pictures: Iterator[av.VideoFrame], container: InputContainer, last: int) -> Generator[VideoFrame]:
        decoder = video_decoder(container)
        for picture in pictures:
            time = _time(picture)
            if time <= last or not self._has(time):
                continue
            self._leave_out(last, time)
            last = time
            yield to_video_frame(picture, decoder)
        self._leave_out(last, None)

    def _count_to(self, start: int, table: PictureTable) -> Generator[VideoFrame]:
        with open_clip(self._path) as container:
            pictures = decoded(container, readable(container))
            last = table.times[0] - 1
            for number, (time, picture) in enumerate(zip(table.times, pictures, strict=False)):
                last = time
                if number >= start:
                    picture.pts, picture.time_base = time, table.time_base
                    yield to_video_frame(picture)
            self._leave_out(last, None)

    def _has(self, time: int) -> bool:
        times = self._table.times
        at = bisect_left(times, time)
        return at < len(times) and times[at] == time

    def _leave_out(self, after: int, before: int | None) -> None:
        """Forget the pictures between two times: they did not come."""
        with self._lock:
            times = self._table.times
            begin = bisect_right(times, after)
            end = len(times) if before is None else bisect_left(times, before)
            if begin < end:
                self._table = replace(self._table, times=times[:begin] + times[end:])


def _entries_before(wanted: int, table: PictureTable) -> Iterator[Entry | None]:
    """Yield key frames to enter at, the nearest before first, then further and further back; ``None`` is the start."""
    at = bisect_right(table.entries, wanted, key=lambda entry: entry.pts) - 1
    back = 1
    while at > 0:  # the first is no better than the start
        yield table.entries[at]
        at -= back
        back *= 2
    yield None


def _packets_from(container: InputContainer, entry: Entry | None) -> Iterator[Packet]:
    """Yield the packets from an entry's on; none where it is not found behind the place that seeking leads to."""
    if entry is None:
        yield from readable(container)
        return
    try:
        container.seek(entry.seek_to, stream=container.streams.video[0])
    except av.FFmpegError:
        return  # what cannot be sought in is read from the start
    packets = readable(container)
    for packet in packets:
        if packet.is_keyframe and packet.pts is not None and packet.pts >= entry.pts:
            if packet.pts == entry.pts:
                yield packet
                yield from packets
            return


def _time(picture: av.VideoFrame) -> int:
    return -(1 << 63) if picture.pts is None else picture.pts
