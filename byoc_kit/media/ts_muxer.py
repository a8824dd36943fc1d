"""Muxes packets to MPEG-TS bytes, each packet at once. A muxer can go on where another ended.

For that, the counters of packets must go on, since readers check them, and a changed table needs a new version, since
readers ignore it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Self, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from byoc_kit.media.psi import AUDIO_PID, PACKET, PAT_PID, PMT_PID, TABLE_PIDS, VIDEO_PID, crc32, pid_of, section_of

StreamT = TypeVar("StreamT", bound=VideoStream | AudioStream)

_OPTIONS = {
    "mpegts_copyts": "1",  # the output keeps the input's times
    "mpegts_flags": "pat_pmt_at_frames",  # each segment can be decoded by itself
    "omit_video_pes_length": "0",  # a reader knows where a frame ends without waiting for the next
    "pes_payload_size": "0",  # sound does not wait until it fills a PES packet
    "flush_packets": "1",
}
_BUFFER = 174 * PACKET
_STUFFING = b"\xff"
_CRC = 4
# Long enough for every codec, and with the start code that H.264 and H.265 require.
_ANY_DATA = b"\0\0\0\1\x09\xf0" + bytes(16)
_HAS_PAYLOAD = 0x10
_COUNTS = 16
_VERSIONS = 32
_CURRENT = 0xC1  # two reserved bits, room for the version, and "valid now"


class Continuity:
    """The continuity counters and the PMT's version of an output, which several muxers may write in turn."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._pmt = b""
        self._version = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything has been written."""
        return bool(self._counts)

    def number(self, data: bytearray) -> None:
        """Set the counters of whole transport packets in place. A packet without a payload repeats the last number."""
        for start in range(0, len(data), PACKET):
            pid, flags = pid_of(data, start), data[start + 3]
            count = self._counts.get(pid, _COUNTS - 1)
            if flags & _HAS_PAYLOAD:
                count = self._counts[pid] = (count + 1) % _COUNTS
            data[start + 3] = flags & 0xF0 | count

    def versioned(self, section: bytes) -> bytes:
        """Return a PMT's section with its version and CRC. ``section`` has no CRC; if it is new, so is the version."""
        if self._pmt and section != self._pmt:
            self._version = (self._version + 1) % _VERSIONS
        self._pmt = section
        versioned = section[:5] + bytes([_CURRENT | self._version << 1]) + section[6:]
        return versioned + crc32(versioned).to_bytes(4)


class TransportMuxer:
    """Muxes a programme of one video, one sound or both to MPEG-TS: video with PID 0x100, sound with 0x101.

    libavformat holds a packet back until each other stream has one too, or the next of its own comes: a picture would
    wait for one frame. So each stream has its own libavformat muxer here, and the tables are joined. Add all streams
    before the first packet. A muxer that continues the output of another gets the same ``continuity``.
    """

    def __init__(self, options: Mapping[str, str] | None = None, *, continuity: Continuity | None = None) -> None:
        self._options = {**_OPTIONS, **(options or {})}
        self._continuity = continuity or Continuity()
        self._tracks: dict[VideoStream | AudioStream, _Track] = {}
        self._leader: _Track | None = None
        self._tables = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # If an open output to a Python object is collected, PyAV 14.2 writes to freed memory, and the process dies.
        for track in self._tracks.values():
            with suppress(av.FFmpegError):
                track.container.close()

    def add_video(self, make: Callable[[OutputContainer], VideoStream]) -> VideoStream:
        """Add the video that ``make(container)`` adds to an empty output. If it raises, nothing is added."""
        return self._add(make, VIDEO_PID)

    def add_audio(self, make: Callable[[OutputContainer], AudioStream]) -> AudioStream:
        """Add the sound that ``make(container)`` adds to an empty output. If it raises, nothing is added."""
        return self._add(make, AUDIO_PID)

    def add_copy(self, source: StreamT) -> StreamT:
        """Add a stream that takes the packets of another one unchanged."""
        pid = VIDEO_PID if isinstance(source, VideoStream) else AUDIO_PID
        return self._add(lambda container: _copied(source, container), pid)

    def mux(self, packet: Packet, *, with_tables: bool = False) -> bytes:
        """Return a packet as whole transport packets. Its ``stream`` must be one that was added.

        The tables come before each picture. Without video, they come before the sound that is given ``with_tables``.
        """
        assert isinstance(packet.stream, VideoStream | AudioStream)  # noqa: S101  # only such were added
        track = self._tracks[packet.stream]
        if not self._tables:
            for each in self._tracks.values():
                each.container.start_encoding()  # this settles what its tables say
        track.container.mux(packet)
        return self._merged(track, with_tables=with_tables)

    def close(self) -> bytes:
        """End and remove all streams; returns the last bytes."""
        tracks, self._tracks, self._leader = self._tracks, {}, None
        with ExitStack() as closing:
            for track in tracks.values():
                closing.callback(track.container.close)
        return b"".join(self._merged(track) for track in tracks.values() if self._tables)

    def _add(self, make: Callable[[OutputContainer], StreamT], pid: int) -> StreamT:
        written = _Bytes()
        container = _opened(written, pid, self._options)
        try:
            stream = make(container)
        except BaseException:
            container.close()
            raise
        self._tracks[stream] = _Track(container, written, pid)
        return stream

    def _merged(self, track: _Track, *, with_tables: bool = False) -> bytes:
        """Return what a stream's muxer wrote, with the tables of the whole programme instead of its own."""
        written = _packets_of(track.written.take())
        if not self._tables and written:
            self._tables = self._tables_of(track, written)
            with_tables = True
        has_own_tables = any(pid_of(packet) == PAT_PID for packet in written)
        merged = bytearray()
        if with_tables or (has_own_tables and track is self._leader):
            merged += self._tables
        for packet in written:
            if pid_of(packet) not in TABLE_PIDS:
                merged += packet
        self._continuity.number(merged)
        return bytes(merged)

    def _tables_of(self, first: _Track, written: list[bytes]) -> bytes:
        """Return the PAT and PMT of the programme, made from those that libavformat wrote for each stream."""
        tracks = sorted(self._tracks.items(), key=lambda item: item[1].pid)
        self._leader = tracks[0][1]
        pmt_of = {first.pid: _pmt_of(written)}
        for stream, track in tracks:
            if track is not first:
                pmt_of[track.pid] = _pmt_before_its_first_packet(stream, track.pid)
        sections = [pmt_of[track.pid] for _, track in tracks]
        body = sections[0][: _entries_at(sections[0])] + b"".join(part[_entries_at(part) :] for part in sections)
        length = len(body) + _CRC - 3
        section = body[:1] + bytes([body[1] & 0xF0 | length >> 8, length & 0xFF]) + body[3:]
        pat, pmt = (next(packet for packet in written if pid_of(packet) == pid) for pid in (PAT_PID, PMT_PID))
        return pat + (pmt[:5] + self._continuity.versioned(section)).ljust(PACKET, _STUFFING)


class _Bytes:
    """Collects what a muxer writes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


@dataclass(frozen=True)
class _Track:
    container: OutputContainer
    written: _Bytes
    pid: int


def _opened(written: _Bytes, pid: int, options: Mapping[str, str]) -> OutputContainer:
    return av.open(
        written, mode="w", format="mpegts", options={**options, "mpegts_start_pid": str(pid)}, buffer_size=_BUFFER
    )


def _copied(source: StreamT, container: OutputContainer) -> StreamT:
    # Without `opaque`, PyAV opens an encoder for the copy: that costs threads and memory, and fails for RGB in H.264.
    return container.add_stream_from_template(source, opaque=True)


def _pmt_before_its_first_packet(stream: VideoStream | AudioStream, pid: int) -> bytes:
    """Return the PMT's section of a stream that has no packet yet."""
    written = _Bytes()
    with _opened(written, pid, {}) as container:
        packet = Packet(_ANY_DATA)
        packet.stream = _copied(stream, container)
        packet.pts = packet.dts = 0
        packet.time_base = Fraction(1, 90_000)
        container.mux(packet)
    return _pmt_of(_packets_of(written.take()))


def _pmt_of(written: list[bytes]) -> bytes:
    """Return the section of the PMT in some packets, without its CRC."""
    return section_of(next(packet for packet in written if pid_of(packet) == PMT_PID))[:-_CRC]


def _entries_at(section: bytes) -> int:
    """Return where the streams begin in a PMT's section."""
    return 12 + ((section[10] & 0x0F) << 8 | section[11])


def _packets_of(data: bytes) -> list[bytes]:
    return [data[start : start + PACKET] for start in range(0, len(data), PACKET)]
