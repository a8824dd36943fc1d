"""What a transport stream has said so far, so that one muxer can go on where another ended (ISO/IEC 13818-1, 2.4.3.3).

A reader counts the packets of each PID, and reads a table again only when its version is another.
"""

from __future__ import annotations

from byoc_kit.media.mpegts import PACKET, pid_of
from byoc_kit.media.tables import crc32

_HAS_PAYLOAD = 0x10
_COUNTS = 16
_VERSIONS = 32
_CURRENT = 0xC1  # two reserved bits, the version between, and "in force now"


class Continuity:
    """The continuity counters and the version of the PMT of one stream, whichever muxers write it in turn."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._pmt = b""
        self._version = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything was written."""
        return bool(self._counts)

    def number(self, data: bytearray) -> None:
        """Set the counter of whole transport packets in place; one without a payload repeats the number before."""
        for start in range(0, len(data), PACKET):
            pid, flags = pid_of(data, start), data[start + 3]
            count = self._counts.get(pid, _COUNTS - 1)
            if flags & _HAS_PAYLOAD:
                count = self._counts[pid] = (count + 1) % _COUNTS
            data[start + 3] = flags & 0xF0 | count

    def versioned(self, section: bytes) -> bytes:
        """Return a PMT's section, without its CRC, with its version and CRC: one up where it says something else."""
        if self._pmt and section != self._pmt:
            self._version = (self._version + 1) % _VERSIONS
        self._pmt = section
        versioned = section[:5] + bytes([_CURRENT | self._version << 1]) + section[6:]
        return versioned + crc32(versioned).to_bytes(4)
