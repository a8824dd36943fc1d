"""Passes live MPEG-TS to a demuxer, and marks what a demuxer cannot see: changed streams and the ends of pictures.

A demuxer keeps the streams that it was opened with: another codec, or sound that comes or goes, needs a new demuxer. If
a PES packet does not say its length, the demuxer holds its picture until the next one begins. But the end can be seen:
only the last transport packet of a PES packet is stuffed (ISO/IEC 13818-1, 2.4.3.5).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from byoc_kit.media.demux import ByteReader
from byoc_kit.media.psi import PACKET, PAT_PID, Elementary, Tables, pid_of

_SYNC = 0x47
_STARTS_PAYLOAD = 0x40
_HAS_ADAPTATION = 0x20
_HAS_PAYLOAD = 0x10
_VIDEO_PES_HEADER = bytes([0, 0, 1, 0xE0, 0, 0, 0x80, 0, 0])  # without a length or a time


class TransportReader:
    """Reads a source up to the next change of the programme, which looks like the end to the demuxer.

    ``next_program`` goes on after it, and begins with the tables, which a new demuxer needs. After the last transport
    packet of each picture of unknown length, a packet is added that begins an empty picture.
    """

    def __init__(self, source: ByteReader) -> None:
        self._source = source
        self._scan = _Scan()
        self._tables = Tables()
        self._streams: tuple[Elementary, ...] = ()
        self._pictures = _PictureEnds()
        self._ready = b""
        self._behind_change = b""
        self._is_changed = False
        self._is_ended = False
        self._has_data = False

    @property
    def has_data(self) -> bool:
        """Whether anything has come since the last change."""
        return self._has_data

    @property
    def streams(self) -> tuple[Elementary, ...]:
        """The streams of the present programme, as its tables announce them."""
        return self._streams

    @property
    def is_ended(self) -> bool:
        """Whether the source has ended."""
        return self._is_ended

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; ``b""`` at a change and at the end."""
        if not self._ready and not self._is_changed:
            data = self._behind_change or self._source.read(size)
            self._behind_change = b""
            self._is_ended = not data
            self._has_data |= bool(data)
            self._ready = self._search(data)
        data = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(data) :]
        return data

    def next_program(self) -> bool:
        """Go on after a change, or after the demuxer gave up; ``False`` at the end of the source."""
        self._streams = self._tables.streams or ()
        if not self._is_changed:
            self._ready = self._tables.packets + self._ready
        self._is_changed = self._has_data = False
        return not self._is_ended

    def _search(self, data: bytes) -> bytes:
        """Return the bytes for the demuxer, up to a change."""
        out, done = bytearray(), 0
        for end, packet in self._scan.packets(data):
            pid = pid_of(packet)
            if pid in {PAT_PID, self._tables.pmt_pid}:
                is_other = self._tables.take(packet)
                self._streams = self._streams if is_other else self._tables.streams or ()
                if is_other:
                    self._is_changed = True
                    self._behind_change = self._tables.packets + data[end:]
                    self._scan = _Scan()
                    return bytes(out + data[done : max(done, end - PACKET)])
            elif pid == self._tables.video_pid and self._pictures.ends_with(packet):
                out += data[done:end] + _empty_picture(packet)
                done = end
        return bytes(out + data[done:])


class _Scan:
    """Finds the transport packets that matter, in bytes that come in pieces of any length."""

    def __init__(self) -> None:
        self._partial = b""

    def packets(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield each packet that begins a payload or has an adaptation field, with its end in ``data``."""
        before = len(self._partial)
        whole = self._partial + data
        begin = _first_sync(whole)
        count = max(0, len(whole) - begin) // PACKET if begin >= 0 else 0
        self._partial = whole[begin + count * PACKET :] if begin >= 0 else b""
        packets = np.frombuffer(whole, np.uint8, count * PACKET, max(begin, 0)).reshape(count, PACKET)
        matters = (packets[:, 1] & _STARTS_PAYLOAD) | (packets[:, 3] & _HAS_ADAPTATION)
        for number in np.flatnonzero((packets[:, 0] == _SYNC) & (matters != 0)):
            start = begin + int(number) * PACKET
            yield start + PACKET - before, whole[start : start + PACKET]


class _PictureEnds:
    """Detects the last transport packet of each picture whose PES packet does not say its length.

    A sender may also stuff other packets. Then the picture goes on after one, and from there on nothing is detected.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._has_ended = False
        self._is_believed = True

    def ends_with(self, packet: bytes) -> bool:
        """Take a packet of the video, and return whether a picture ends with it."""
        if not packet[3] & _HAS_PAYLOAD or not self._is_believed:
            return False
        if packet[1] & _STARTS_PAYLOAD:
            pes = packet[_payload_of(packet) :]
            self._is_open, self._has_ended = pes[:3] == b"\0\0\1" and pes[4:6] == b"\0\0", False
        elif self._has_ended:
            self._is_believed = False
            return False
        if not self._is_open or not _is_stuffed(packet):
            return False
        self._is_open, self._has_ended = False, True
        return True


def _first_sync(data: bytes) -> int:
    """Return where packets begin: at a sync byte with another one, or the end of the data, one packet later."""
    at = data.find(_SYNC)
    while at >= 0 and at + PACKET < len(data) and data[at + PACKET] != _SYNC:
        at = data.find(_SYNC, at + 1)
    return at


def _payload_of(packet: bytes) -> int:
    return 4 + (1 + packet[4] if packet[3] & _HAS_ADAPTATION else 0)


def _is_stuffed(packet: bytes) -> bool:
    """Whether a packet's adaptation field is longer than its content (ISO/IEC 13818-1, 2.4.3.4)."""
    if not packet[3] & _HAS_ADAPTATION:
        return False
    length = packet[4]
    if length == 0:
        return True
    flags = packet[5]
    needed = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08) + bool(flags & 0x04)
    for bit in (0x02, 0x01):  # private data and the extension have a length byte
        if flags & bit:
            needed += 1 + (packet[5 + needed] if 5 + needed < PACKET else 0)
    return length > needed


def _empty_picture(last: bytes) -> bytes:
    """Return a packet that begins an empty PES packet. Its counter repeats that of ``last``."""
    stuffing = PACKET - 4 - 2 - len(_VIDEO_PES_HEADER)
    adaptation = bytes([1 + stuffing, 0x80]) + b"\xff" * stuffing  # 0x80: the counter may repeat
    pid = [_STARTS_PAYLOAD | last[1] & 0x1F, last[2]]
    number = _HAS_ADAPTATION | _HAS_PAYLOAD | last[3] & 0x0F
    return bytes([_SYNC, *pid, number]) + adaptation + _VIDEO_PES_HEADER
