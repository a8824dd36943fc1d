"""The transport packets of MPEG-TS: their length, and which PID is whose (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

PACKET = 188
VIDEO_PID, AUDIO_PID = 0x100, 0x101
PAT_PID, SDT_PID, PMT_PID = 0x0000, 0x0011, 0x1000  # the last as libavformat numbers it
TABLE_PIDS = {PAT_PID, SDT_PID, PMT_PID}


def pid_of(data: bytes | bytearray, start: int = 0) -> int:
    """Return which stream or table the transport packet at ``start`` belongs to."""
    return (data[start + 1] & 0x1F) << 8 | data[start + 2]
