"""The tables of an MPEG-TS: which programme there is, and of which streams (ISO/IEC 13818-1, 2.4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from byoc_kit.media.mpegts import PACKET

_PAT, _PMT = 0, 2
_VIDEO_TYPES = {0x01, 0x02, 0x10, 0x1B, 0x24}  # MPEG-1, MPEG-2, MPEG-4, H.264, H.265
_SHORTEST = 12


@dataclass
class Tables:
    """The tables in force, of the first programme.

    ``streams`` has type and PID of each elementary stream, and is ``None`` before the first.
    """

    streams: tuple[tuple[int, int], ...] | None = None
    program: int = 0
    pmt_pid: int = -1
    pat_packet: bytes = b""
    pmt_packet: bytes = b""

    @property
    def packets(self) -> bytes:
        """The packets that a demuxer needs to begin with."""
        return self.pat_packet + self.pmt_packet

    @property
    def video_pid(self) -> int | None:
        """The PID of the first video stream."""
        return next((pid for kind, pid in self.streams or () if kind in _VIDEO_TYPES), None)

    def take(self, packet: bytes) -> bool:
        """Read a table's packet; returns whether the streams are others than before. A damaged one is passed over."""
        is_known = packet[4:] in {self.pat_packet[4:], self.pmt_packet[4:]}  # they come ten times a second
        section = b"" if is_known else section_of(packet)
        if len(section) < _SHORTEST:
            return False
        if section[0] == _PAT:
            self.pat_packet = packet
            self.program, self.pmt_pid = next((entry for entry in _programs(section) if entry[0]), (0, -1))
        is_ours = section[3] << 8 | section[4] == self.program  # several may share a PID
        if section[0] != _PMT or not is_ours:
            return False
        before, self.streams = self.streams, tuple(_elementary(section))
        self.pmt_packet = packet
        return before is not None and before != self.streams


def section_of(packet: bytes) -> bytes:
    """Return the table section that begins in a packet; nothing for one that is damaged, or longer than the packet."""
    begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if begin >= PACKET:
        return b""
    begin += 1 + packet[begin]
    if begin + 3 > PACKET:
        return b""
    length = (packet[begin + 1] & 0x0F) << 8 | packet[begin + 2]
    section = packet[begin : begin + 3 + length]
    return section if crc32(section) == 0 else b""


def crc32(data: bytes) -> int:
    """Return the CRC-32/MPEG-2 of a section; over a section that ends in its own it is 0 (ISO/IEC 13818-1, annex A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _programs(section: bytes) -> Iterator[tuple[int, int]]:
    """Yield number and PID of each programme of a PAT; number 0 is the network's."""
    for at in range(8, len(section) - 4 - 3, 4):
        number = section[at] << 8 | section[at + 1]
        yield number, (section[at + 2] & 0x1F) << 8 | section[at + 3]


def _elementary(section: bytes) -> Iterator[tuple[int, int]]:
    """Yield type and PID of each elementary stream of a PMT."""
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while at + 5 <= len(section) - 4:
        yield section[at], (section[at + 1] & 0x1F) << 8 | section[at + 2]
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
