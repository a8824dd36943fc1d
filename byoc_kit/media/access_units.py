"""Turns the PES packets of a video stream into packets of one picture each.

ISO/IEC 13818-1 lets a PES packet hold a picture, several, or a part of one, and begin anywhere (2.4.3.7). A decoder
wants one picture per packet. FFmpeg's parser sees the end of a picture only when the next one begins, a frame later.
Here a picture is handed on with its last byte as long as each PES packet has one picture, as live publishers send it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from byoc_kit.media.codecs import TIME_BASE
from byoc_kit.media.start_codes import HEADER, Code, StartCodes, start_codes

# The demuxer cuts a PES packet before the TS packet (184 bytes) that would make it longer than 204 800 bytes.
_CUT_BY_DEMUXER = 204_800 - 184
# A PES packet that says its length has at most 65 535 bytes, with its header. A picture may go on after a full one.
_FULL = range(65_535 - 2 * 184, 65_536)
# When this much sound (in 1/90000 s) has come since the last bytes of a picture, no more of the picture follows.
_OVERDUE = 45_000
_LARGEST = 32 << 20
_START_CODE = b"\0\0\1"
_SHORTEST_HEADER = 4

_Times: TypeAlias = tuple[int | None, int | None]
_NO_TIMES: _Times = (None, None)


def access_units(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Yield one packet for each picture of a video, and the packets of other streams as they come.

    The first picture that begins in a PES packet gets the packet's times; further ones have no times.
    """
    splitters: dict[int, _Splitter] = {}
    for packet in packets:
        for index, splitter in splitters.items():
            if isinstance(packet.stream, AudioStream) and index != packet.stream_index and splitter.is_overdue(packet):
                yield from splitter.flush()
        if packet.stream_index not in splitters and (codes := _codes_of(packet.stream)):
            splitters[packet.stream_index] = _Splitter(packet.stream, codes)
        if packet.stream_index in splitters:
            yield from splitters[packet.stream_index].split(packet)
        else:
            yield packet
    for splitter in splitters.values():
        yield from splitter.flush()


def _codes_of(stream: Stream) -> StartCodes | None:
    # `stream.type` would crash PyAV 14.2 if FFmpeg does not know what the stream is.
    has_codec = isinstance(stream, VideoStream) and stream.codec_context is not None
    return start_codes(stream.codec_context.name) if has_codec else None


class _Splitter:
    """Joins and splits the packets of one stream, so that each has one picture.

    The first packet waits for the second, which shows whether PES packets cut pictures. If they do, each picture waits
    for the start of the next one from then on. If they begin to do so later, the first cut picture loses its rest.
    """

    def __init__(self, stream: Stream, codes: StartCodes) -> None:
        self._stream = stream
        self._codes = codes
        self._data = bytearray()  # begins with the picture that is being collected, and its prefixes
        self._marks: list[tuple[int, _Times]] = []  # where PES packets begin, and their times until taken
        self._scanned = 0
        self._has_beginning = False
        self._has_picture = False
        self._next_at: int | None = None  # where the next picture's prefixes begin
        self._is_first = True
        self._are_cut = False
        self._is_cut_by_demuxer = False
        self._audio_from: int | None = None  # the time of the first sound since the last packet
        self._is_given = False  # whether the picture that further slices would belong to has been handed on

    def split(self, packet: Packet) -> Iterator[Packet]:
        """Yield the pictures that are complete now. An empty packet flushes, and is yielded last."""
        if not packet.size:
            yield from self.flush()
            yield packet
            return
        self._audio_from = None
        begin, size = len(self._data), packet.size
        is_between = not self._data or (self._has_picture and self._next_at is None)
        self._marks.append((begin, (packet.pts, packet.dts)))
        self._data += bytes(packet)
        found = self._scan()
        is_rest = self._is_cut_by_demuxer and packet.pts is None
        self._is_cut_by_demuxer = size > _CUT_BY_DEMUXER
        self._are_cut |= not (self._is_first or is_rest or (is_between and self._begins_picture(begin, found)))
        yield from self._before(found)
        may_go_on = self._is_first or self._are_cut or self._is_cut_by_demuxer or size in _FULL
        is_foreign = not (self._is_first or self._has_beginning or self._is_given)  # encrypted, or of another codec
        if is_foreign or len(self._data) > _LARGEST:
            yield self._take(len(self._data))  # the decoder says what is wrong with it
        self._is_first = False
        if not may_go_on and not self._codes.awaits_field:
            yield from self.flush()

    def flush(self) -> Iterator[Packet]:
        """Yield the picture that waits."""
        if self._has_picture:
            yield self._take(len(self._data) if self._next_at is None else self._next_at)
            self._is_given = not self._data

    def is_overdue(self, audio: Packet) -> bool:
        """Whether the waiting picture is complete, since so much sound has come after its last bytes.

        That the sound's time is later than the picture's would not show this: some inputs send sound ahead.
        """
        if not self._has_picture or audio.dts is None:
            return False
        if self._audio_from is None:
            self._audio_from = audio.dts
        return audio.dts - self._audio_from > _OVERDUE

    def _scan(self) -> list[tuple[int, Code]]:
        """Return the start codes found in the new data, each with its place."""
        found: list[tuple[int, Code]] = []
        while (at := self._data.find(_START_CODE, self._scanned)) >= 0:
            end = at + len(_START_CODE)
            header = self._data[end : end + HEADER]
            if len(header) < _SHORTEST_HEADER:
                return found  # its rest is in the next packet
            is_long = self._data.endswith(b"\0", 0, at)  # H.264 and HEVC may have another zero before it
            found.append((at - is_long, self._codes.read(bytes(header))))
            self._scanned = end
        self._scanned = max(self._scanned, len(self._data) - len(_START_CODE) + 1)
        return found

    def _begins_picture(self, begin: int, found: list[tuple[int, Code]]) -> bool:
        """Whether a picture, or its second field, begins exactly where the packet begins."""
        at, code = next(((at, code) for at, code in found if at >= begin), (None, Code.OTHER))
        is_at_begin = at is not None and not self._data[begin:at].strip(b"\0")
        return is_at_begin and code in {Code.PREFIX, Code.PICTURE, Code.SECOND_FIELD}

    def _before(self, found: list[tuple[int, Code]]) -> Iterator[Packet]:
        """Yield each picture that ends because another begins."""
        gone = 0
        for place, code in found:
            at = place - gone
            if code is Code.SLICE and not self._has_picture and self._is_given:
                continue
            if not self._has_picture and not self._has_beginning and code is not Code.OTHER:
                gone += at
                at = self._drop(at)
            if code is Code.PREFIX:
                if self._has_picture and self._next_at is None:
                    self._next_at = at
                continue
            if code is Code.SECOND_FIELD and self._has_picture:
                self._next_at = None
                continue
            begins = code in {Code.PICTURE, Code.SECOND_FIELD} or (code is Code.SLICE and self._next_at is not None)
            if self._has_picture and begins:
                end = at if self._next_at is None else self._next_at
                gone += end
                yield self._take(end)
            self._has_picture |= code is not Code.OTHER

    def _drop(self, end: int) -> int:
        """Drop data that belongs to no picture; returns where the rest begins."""
        self._cut(end)
        self._has_beginning, self._is_given = True, False
        return 0

    def _take(self, end: int) -> Packet:
        """Return the picture that ends at ``end``, with its times."""
        begun = [times for at, times in self._marks if at <= 0]
        self._marks = [mark for mark in self._marks if mark[0] > 0]
        picture = Packet(bytes(self._data[:end]))
        picture.stream, picture.time_base = self._stream, self._stream.time_base or TIME_BASE
        picture.pts, picture.dts = begun[-1] if begun else _NO_TIMES  # type: ignore[assignment]  # None is no time
        self._cut(end)
        self._has_beginning = bool(self._data)
        self._has_picture, self._next_at = False, None
        return picture

    def _cut(self, end: int) -> None:
        """Drop the data before ``end``. The times of the PES packet that goes on there stay for what follows."""
        del self._data[:end]
        self._scanned = max(0, self._scanned - end)
        before = [times for at, times in self._marks if at <= end]
        after = [(at - end, times) for at, times in self._marks if at > end]
        self._marks = [(0, before[-1]), *after] if before and self._data else after
