"""MPEG-TS that ISO/IEC 13818-1 allows and libavformat does not write: any layout of PES packets, several programmes."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

PACKET = 188
STEP = 3600
START = 90_000
RATE = 25
VIDEO_PID, PMT_PID = 0x100, 0x1000
TYPES = {"libx264": 0x1B, "libx265": 0x24, "mpeg2video": 0x02, "mpeg4": 0x10}
_OPTIONS = {
    "libx264": {"preset": "ultrafast", "x264-params": "keyint=10:scenecut=0:slices=2:bframes={b}:b-adapt=0"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "keyint=10:bframes={b}:b-adapt=0:log-level=none:wpp=0:repeat-headers=1",
    },
    "mpeg2video": {"g": "10", "bf": "{b}"},
    "mpeg4": {"g": "10", "bf": "{b}"},
}


@dataclass(frozen=True)
class Unit:
    """A picture as it is encoded."""

    data: bytes
    pts: int
    dts: int
    is_key: bool


@lru_cache
def units(codec="libx264", *, count=24, b_frames=0, size=(64, 48), noise=False):
    """Encode pictures, each of another grey, or of noise."""
    random = np.random.default_rng(1)
    context = av.codec.CodecContext.create(codec, "w")
    context.width, context.height = size
    context.pix_fmt, context.framerate = "yuv420p", RATE
    context.time_base = Fraction(1, RATE)
    context.options = {name: value.format(b=b_frames) for name, value in _OPTIONS[codec].items()}
    packets = []
    for number in range(count):
        pixels = np.full((size[1], size[0], 3), 8 * number % 256, np.uint8)
        if noise:
            pixels = random.integers(0, 256, pixels.shape, np.uint8)
        picture = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = number, context.time_base
        packets += context.encode(picture)
    packets += context.encode(None)
    delay = 2 * STEP if b_frames else 0
    return tuple(
        Unit(bytes(packet), START + packet.pts * STEP, START + number * STEP - delay, packet.is_keyframe)
        for number, packet in enumerate(packets)
    )


class Transport:
    """Writes transport packets; ``data`` is what came of it."""

    def __init__(self):
        self.data = bytearray()
        self._counters = {}

    def tables(self, *programs, pmt_pids=(PMT_PID, PMT_PID + 1)):
        """Write the tables of programmes, each given as its streams' types and PIDs."""
        pids = [pmt_pids[number] for number in range(len(programs))]
        entries = b"".join(_u16(number + 1) + _u16(0xE000 | pid) for number, pid in enumerate(pids))
        self._table(0, _section(0, 1, entries))
        for number, (pid, streams) in enumerate(zip(pids, programs, strict=True)):
            body = _u16(0xE000 | streams[0][1]) + _u16(0xF000)
            for kind, stream_pid, *descriptor in streams:
                extra = b"".join(descriptor)
                body += bytes([kind]) + _u16(0xE000 | stream_pid) + _u16(0xF000 | len(extra)) + extra
            self._table(pid, _section(2, number + 1, body))

    def pes(self, payload, *, pid=VIDEO_PID, pts=None, dts=None, says_length=True, stream_id=0xE0):
        """Write a PES packet, without a time where ``pts`` is ``None``."""
        flags, header = 0, b""
        if pts is not None:
            flags, header = (0x80, _stamp(2, pts)) if dts in {None, pts} else (0xC0, _stamp(3, pts) + _stamp(1, dts))
        length = 3 + len(header) + len(payload)
        says_length &= length <= 0xFFFF
        start = b"\0\0\1" + bytes([stream_id]) + _u16(length if says_length else 0) + bytes([0x80, flags, len(header)])
        rest, is_first = start + header + payload, True
        while rest or is_first:
            rest = self._packet(pid, rest, is_first=is_first)
            is_first = False

    def _packet(self, pid, payload, *, is_first):
        """Write a packet with as much as fits; returns the rest."""
        number = self._counters.get(pid, 0)
        self._counters[pid] = (number + 1) % 16
        taken, rest = payload[: PACKET - 4], payload[PACKET - 4 :]
        missing = PACKET - 4 - len(taken)
        stuffing = b"" if not missing else b"\0" if missing == 1 else bytes([missing - 1, 0]) + b"\xff" * (missing - 2)
        head = bytes([0x47, (0x40 if is_first else 0) | pid >> 8, pid & 0xFF, (0x30 if missing else 0x10) | number])
        self.data += head + stuffing + taken
        return rest

    def _table(self, pid, section):
        self._packet(pid, (b"\0" + section).ljust(PACKET - 4, b"\xff"), is_first=True)


def one_stream(pes_packets, codec="libx264", *, tables_each=8):
    """Write PES packets, (payload, pts, dts) each, as the only stream of a programme."""
    transport = Transport()
    for number, (payload, pts, dts) in enumerate(pes_packets):
        if number % tables_each == 0:
            transport.tables([(TYPES[codec], VIDEO_PID)])
        transport.pes(payload, pts=pts, dts=dts)
    return bytes(transport.data)


def laid_out(units, sizes):
    """Cut the stream of pictures into payloads of those many bytes, over and over, each with its time."""
    stream = b"".join(unit.data for unit in units)
    begins, at = {}, 0
    for unit in units:
        begins[at] = unit
        at += len(unit.data)
    packets, at = [], 0
    for size in _forever(sizes):
        if at >= len(stream):
            return packets
        first = next((unit for begin, unit in begins.items() if at <= begin < at + size), None)
        packets.append((stream[at : at + size], first and first.pts, first and first.dts))
        at += size
    return packets


def first_in_their_packets(units, sizes):
    """Say of each picture whether it is the first that begins in its payload of :func:`laid_out`."""
    lengths = _forever(sizes)
    numbers, at, end, number = [], 0, 0, -1
    for unit in units:
        while end <= at:
            end += next(lengths)
            number += 1
        numbers.append(number)
        at += len(unit.data)
    return [number not in numbers[:place] for place, number in enumerate(numbers)]


def grouped(units, counts):
    """Put those many pictures into a payload, over and over."""
    packets, at = [], 0
    for count in _forever(counts):
        if at >= len(units):
            return packets
        group = units[at : at + count]
        packets.append((b"".join(unit.data for unit in group), group[0].pts, group[0].dts))
        at += count
    return packets


def _forever(values):
    while True:
        yield from values


def _u16(value):
    return value.to_bytes(2, "big")


def _section(table, number, body):
    body = _u16(number) + bytes([0xC1, 0, 0]) + body
    data = bytes([table]) + _u16(0xB000 | len(body) + 4) + body
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return data + crc.to_bytes(4, "big")


def _stamp(prefix, time):
    time %= 1 << 33
    high, middle, low = time >> 30, time >> 15 & 0x7FFF, time & 0x7FFF
    return bytes([prefix << 4 | high << 1 | 1]) + _u16(middle << 1 | 1) + _u16(low << 1 | 1)
