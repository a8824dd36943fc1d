"""Cutting a muxer's MPEG-TS bytes into segments, each of which can be decoded on its own (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PACKET = 188
FIRST_PID = 0x100  # libavformat gives it to the first stream, and the next to the next
PAT_PID, SDT_PID, PMT_PID = 0x0000, 0x0011, 0x1000  # the last as libavformat numbers it
TABLE_PIDS = {PAT_PID, SDT_PID, PMT_PID}

_STARTS_PAYLOAD = 0x40
_HAS_ADAPTATION = 0x20
_RANDOM_ACCESS = 0x40


@dataclass(frozen=True)
class Part:
    """Some bytes of one segment; ``begins_segment`` on its first."""

    begins_segment: bool
    data: bytes


class SegmentCutter:
    """Cuts before the tables that precede a key frame of ``video_pid``; without video, wherever a PAT comes.

    An encoder hands its pictures out later than it takes them, so where a segment begins shows in the bytes. Sound that
    comes before the first segment belongs to none and is left out.
    """

    def __init__(self, video_pid: int | None = FIRST_PID) -> None:
        self._video_pid = video_pid
        self._has_pat = self._has_begun = False
        self._rest = b""
        self._tables = b""

    def cut(self, data: bytes) -> Iterator[Part]:
        """Yield the parts of what is complete; a packet or table that may belong to what follows waits for it."""
        data = self._rest + data
        whole = len(data) // PACKET * PACKET
        self._rest = data[whole:]
        begins_segment, current = False, bytearray()
        for start in range(0, whole, PACKET):
            packet = data[start : start + PACKET]
            pid = pid_of(packet)
            if pid in TABLE_PIDS:
                self._tables += packet
                self._has_pat |= pid == PAT_PID
                continue
            is_first = self._has_pat if self._video_pid is None else pid == self._video_pid and _is_key_frame(packet)
            self._has_pat = False
            if is_first:
                if current:
                    yield Part(begins_segment, bytes(current))
                begins_segment, current = True, bytearray()
                self._has_begun = True
            if self._has_begun:
                current += self._tables + packet
            self._tables = b""
        if current:
            yield Part(begins_segment, bytes(current))


def pid_of(packet: bytes) -> int:
    """Return which stream or table a transport packet belongs to."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def _is_key_frame(packet: bytes) -> bool:
    has_flags = packet[3] & _HAS_ADAPTATION and packet[4]
    return bool(packet[1] & _STARTS_PAYLOAD and has_flags and packet[5] & _RANDOM_ACCESS)
