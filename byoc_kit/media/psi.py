"""The packets and tables (PSI) of MPEG-TS: its programmes and their streams (ISO/IEC 13818-1, 2.4.3 and 2.4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PACKET = 188
VIDEO_PID, AUDIO_PID = 0x100, 0x101
PAT_PID, SDT_PID, PMT_PID = 0x0000, 0x0011, 0x1000  # the last is libavformat's choice
TABLE_PIDS = {PAT_PID, SDT_PID, PMT_PID}

_PAT, _PMT = 0, 2
_VIDEO_TYPES = {0x01, 0x02, 0x10, 0x1B, 0x24}  # MPEG-1, MPEG-2, MPEG-4, H.264, H.265
_SHORTEST = 12
_REGISTRATION = 5
_OTHER_VIDEO = {0x21, 0x33, "AV01", "VP08", "VP09"}
_NAMES: dict[int | str, str] = {
    0x02: "MPEG-2",
    0x03: "MP2",
    0x0F: "AAC",
    0x1B: "H.264",
    0x24: "HEVC",
    0x06: "private data, as AV1, VP9 and MJPEG come,",
    0x15: "metadata",
    0x21: "JPEG 2000",
    0x33: "VVC",
    "AV01": "AV1",
    "VP08": "VP8",
    "VP09": "VP9",
    "KLVA": "KLV metadata",
}


def pid_of(data: bytes | bytearray, start: int = 0) -> int:
    """Return the PID, the number of a stream or table, of the transport packet at ``start``."""
    return (data[start + 1] & 0x1F) << 8 | data[start + 2]


@dataclass(frozen=True)
class Elementary:
    """An elementary stream as the tables announce it: its ``stream_type``, its PID, and its registered format."""

    kind: int
    pid: int
    registered: str = ""

    @property
    def is_other_video(self) -> bool:
        """Whether it is surely video, but of a kind that the demuxer has no decoder for."""
        return self.registered in _OTHER_VIDEO or self.kind in _OTHER_VIDEO

    def __str__(self) -> str:
        name = _NAMES.get(self.registered) or _NAMES.get(self.kind) or self.registered
        return f"{name or 'unknown'} (stream type 0x{self.kind:02x})"


@dataclass
class Tables:
    """The present tables of the first programme. ``streams`` is ``None`` before the first table of streams."""

    streams: tuple[Elementary, ...] | None = None
    program: int = 0
    pmt_pid: int = -1
    pat_packet: bytes = b""
    pmt_packet: bytes = b""

    @property
    def packets(self) -> bytes:
        """The packets of the tables, which a demuxer needs first."""
        return self.pat_packet + self.pmt_packet

    @property
    def video_pid(self) -> int | None:
        """The PID of the first video stream."""
        return next((stream.pid for stream in self.streams or () if stream.kind in _VIDEO_TYPES), None)

    def take(self, packet: bytes) -> bool:
        """Read a table's packet; returns whether the streams have changed. A damaged packet is ignored."""
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
    """Return the table section that begins in a packet; empty if it is damaged, or longer than the packet."""
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
    """Return the CRC-32/MPEG-2 of a section: 0 if the section ends with its own CRC (ISO/IEC 13818-1, annex A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _programs(section: bytes) -> Iterator[tuple[int, int]]:
    """Yield the number and the PMT's PID of each programme of a PAT. Number 0 is not a programme, but the network."""
    for at in range(8, len(section) - 4 - 3, 4):
        number = section[at] << 8 | section[at + 1]
        yield number, (section[at + 2] & 0x1F) << 8 | section[at + 3]


def _elementary(section: bytes) -> Iterator[Elementary]:
    """Yield each elementary stream of a PMT."""
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while at + 5 <= len(section) - 4:
        end = at + 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
        registered = _registered(section[at + 5 : end])
        yield Elementary(section[at], (section[at + 1] & 0x1F) << 8 | section[at + 2], registered)
        at = end


def _registered(descriptors: bytes) -> str:
    """Return the format identifier of a registration descriptor (2.6.8); empty if there is none."""
    at = 0
    while at + 6 <= len(descriptors):
        identifier = descriptors[at + 2 : at + 6]
        if descriptors[at] == _REGISTRATION and identifier.isalnum():
            return identifier.decode("ascii")
        at += 2 + descriptors[at + 1]
    return ""
