"""The pictures of a video stream, one a packet, however its PES packets carry them.

ISO/IEC 13818-1 lets a PES packet hold a picture, several, or a part of one, and begin anywhere (2.4.3.7). A decoder
wants a picture a packet. FFmpeg's parser knows a picture's end by the next one's beginning, which is a frame later.
Here a picture is out with its last byte as long as PES packets and pictures go together, as live publishers send them.
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

# The demuxer cuts a PES packet before the TS packet (184 bytes) that would take it over 204 800 bytes, whatever it
# holds.
_CUT_BY_DEMUXER = 204_800 - 184
# A PES packet that says its length holds 65 535 bytes with its header: one as full as that may go on in the next.
_FULL = range(65_535 - 2 * 184, 65_536)
# So much sound since the last of a picture shows that nothing more of it comes, in units of 1/90000 s.
_OVERDUE = 45_000
_LARGEST = 32 << 20
_START_CODE = b"\0\0\1"
_SHORTEST_HEADER = 4

_Times: TypeAlias = tuple[int | None, int | None]
_NO_TIMES: _Times = (None, None)


def access_units(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Yield the packets of video one picture at a time, and those of other streams as they come.

    The first picture that begins in a PES packet has its times, and the others have none.
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
    # Not by `stream.type`, with which PyAV 14.2 crashes where FFmpeg does not know what a stream is.
    has_codec = isinstance(stream, VideoStream) and stream.codec_context is not None
    return start_codes(stream.codec_context.name) if has_codec else None


class _Splitter:
    """Puts together and takes apart the packets of one stream.

    The first packet waits for the second, which shows whether pictures are cut; where one is, each waits from then on.
    The first that is cut later loses what follows.
    """

    def __init__(self, stream: Stream, codes: StartCodes) -> None:
        self._stream = stream
        self._codes = codes
        self._data = bytearray()  # begins with the picture that is collected, and what comes before it
        self._marks: list[tuple[int, _Times]] = []  # where in it PES packets begin, and the times that nobody took yet
        self._scanned = 0
        self._has_beginning = False
        self._has_picture = False
        self._next_at: int | None = None  # where something begins that comes before the next picture
        self._is_first = True
        self._are_cut = False
        self._is_cut_by_demuxer = False
        self._audio_from: int | None = None  # the time of the first sound since the last packet
        self._is_given = False  # the picture that further slices would belong to

    def split(self, packet: Packet) -> Iterator[Packet]:
        """Yield the pictures that are whole now; an empty packet flushes, and comes last."""
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
        self._are_cut |= not (self._is_first or is_rest or (is_between and self._begins_anew(begin, found)))
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
        """Whether nothing more can come of the picture that waits, since so much sound has come meanwhile.

        That sound is ahead of the picture does not tell: it may always be.
        """
        if not self._has_picture or audio.dts is None:
            return False
        if self._audio_from is None:
            self._audio_from = audio.dts
        return audio.dts - self._audio_from > _OVERDUE

    def _scan(self) -> list[tuple[int, Code]]:
        """Return what came of start codes, each with its place."""
        found: list[tuple[int, Code]] = []
        while (at := self._data.find(_START_CODE, self._scanned)) >= 0:
            end = at + len(_START_CODE)
            header = self._data[end : end + HEADER]
            if len(header) < _SHORTEST_HEADER:
                return found  # the rest of it comes in the next packet
            is_long = self._data.endswith(b"\0", 0, at)  # H.264 and HEVC may put another zero before
            found.append((at - is_long, self._codes.read(bytes(header))))
            self._scanned = end
        self._scanned = max(self._scanned, len(self._data) - len(_START_CODE) + 1)
        return found

    def _begins_anew(self, begin: int, found: list[tuple[int, Code]]) -> bool:
        """Whether a picture, or the second field of one, begins where the packet does."""
        at, code = next(((at, code) for at, code in found if at >= begin), (None, Code.OTHER))
        is_at_begin = at is not None and not self._data[begin:at].strip(b"\0")
        return is_at_begin and code in {Code.PREFIX, Code.PICTURE, Code.SECOND_FIELD}

    def _before(self, found: list[tuple[int, Code]]) -> Iterator[Packet]:
        """Yield the picture before each place at which another begins."""
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
        """Let go of what belongs to no picture; returns where the rest begins."""
        self._cut(end)
        self._has_beginning, self._is_given = True, False
        return 0

    def _take(self, end: int) -> Packet:
        """Return the picture up to ``end``, with its times; the next one begins there."""
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
        """Forget the data before ``end``; the PES packet that it is in keeps its times for what follows."""
        del self._data[:end]
        self._scanned = max(0, self._scanned - end)
        before = [times for at, times in self._marks if at <= end]
        after = [(at - end, times) for at, times in self._marks if at > end]
        self._marks = [(0, before[-1]), *after] if before and self._data else after
