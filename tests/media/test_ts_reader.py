import io
import itertools

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_rig import Segments

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.access_units import access_units
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.demux import open_stream
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.media.psi import PACKET, VIDEO_PID, pid_of
from byoc_kit.media.ts_reader import TransportReader

STEP = 3000
PICTURES = 12


@pytest.fixture(scope="module")
def large():
    """Pictures of more than 64 KiB, whose PES packets cannot say their length."""
    random = np.random.default_rng(7)
    segments = Segments()
    with SegmentWriter(segments, settings=MediaSettings(crf=1)) as writer:
        for number in range(PICTURES):
            pixels = random.integers(0, 256, (180, 320, 3), np.uint8)
            writer.write_frame(VideoFrame.from_pixels(pixels, pts=number * STEP, time_base=TIME_BASE))
    return segments.whole


def is_video(packet):
    return pid_of(packet) == VIDEO_PID


def picture_ends(data):
    """Return where each picture's last packet ends."""
    ends, last = [], None
    for at in range(0, len(data), PACKET):
        packet = data[at : at + PACKET]
        if is_video(packet):
            if packet[1] & 0x40 and last:
                ends.append(last)
            last = at + PACKET
    return [*ends, last]


class PacketByPacket:
    """Bytes as a slow network brings them."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def read(self, size=-1, /):
        piece = self.data[self.position : self.position + PACKET]
        self.position += len(piece)
        return piece


def read_at(data, *, through):
    """Return by its pts where the source was when each picture came out, and their bytes."""
    source = PacketByPacket(data)
    positions, bodies = {}, []
    with open_stream(through(source)) as container:
        for packet in access_units(container.demux(video=0)):
            if packet.size and packet.pts is not None:  # else it is the rest of one that was cut
                positions[packet.pts // STEP] = source.position
                bodies.append(bytes(packet))
    return positions, bodies


def test_a_picture_of_unknown_length_comes_out_with_its_last_byte(large):
    ends = picture_ends(large)
    plain, bodies = read_at(large, through=lambda source: source)
    helped, same_bodies = read_at(large, through=TransportReader)
    assert same_bodies == bodies
    later = range(6, PICTURES - 1)  # the first ones wait until the stream is probed, the last for nothing
    assert all(plain[number] > ends[number] for number in later)
    is_prompt = [helped[number] == ends[number] for number in later]
    assert sum(is_prompt) >= len(later) - 1  # one in 184 fills its last packet, and then nothing shows


def test_pictures_that_say_their_length_are_left_alone():
    segments = Segments()
    with SegmentWriter(segments) as writer:
        for number in range(30):
            pixels = np.full((48, 64, 3), number, np.uint8)
            writer.write_frame(VideoFrame.from_pixels(pixels, pts=number * STEP, time_base=TIME_BASE))
    assert TransportReader(io.BytesIO(segments.whole)).read() == segments.whole


def stuffed_in_the_middle(data):
    """Move a byte of each picture's second packet to a packet of its own, which then is stuffed."""
    out, is_second = bytearray(), False
    numbers = 0
    for at in range(0, len(data), PACKET):
        packet = bytearray(data[at : at + PACKET])
        if is_video(packet):
            if is_second and not packet[3] & 0x20:
                first, rest = packet[4:-10], packet[-10:]
                out += bytes([0x47, packet[1], packet[2], 0x30 | numbers % 16, 9, 0]) + b"\xff" * 8 + first
                numbers += 1
                out += bytes([0x47, packet[1], packet[2], 0x30 | numbers % 16, 173, 0]) + b"\xff" * 172 + rest
                numbers += 1
                is_second = False
                continue
            is_second = bool(packet[1] & 0x40)
            packet[3] = packet[3] & 0xF0 | numbers % 16
            numbers += 1
        out += packet
    return bytes(out)


def test_who_stuffs_in_the_middle_of_pictures_loses_one_at_most(large):
    data = stuffed_in_the_middle(large)
    plain, bodies = read_at(data, through=lambda source: source)
    helped, found = read_at(data, through=TransportReader)
    assert len(plain) == PICTURES
    assert found[-(PICTURES - 1) :] == bodies[1:]
    assert set(helped) >= set(range(1, PICTURES))


@pytest.mark.parametrize("size", [50, 188, 1000, -1])
def test_bytes_go_through_whatever_is_asked_for(large, size):
    reader = TransportReader(io.BytesIO(large))
    parts = []
    while part := reader.read(size):
        assert size < 0 or len(part) <= size
        parts.append(part)
    whole = b"".join(parts)
    with av.open(io.BytesIO(whole), format="mpegts") as container:
        assert sum(1 for _ in container.decode(video=0)) == PICTURES
    assert not reader.next_program()


@st.composite
def damaged(draw):
    """Draw transport packets of any content, many of them of the tables, with other bytes in between."""
    heads = st.sampled_from([b"\x00\x00", b"\x40\x00", b"\x40\x11", b"\x50\x00", b"\x41\x00", None])
    parts = []
    for random in draw(st.lists(st.randoms(use_true_random=False), min_size=1, max_size=20)):
        packet = bytearray(random.randbytes(PACKET))
        packet[0] = 0x47
        if head := draw(heads):
            packet[1:3] = head
        parts += [packet, draw(st.just(b"") | st.binary(max_size=300))]
    return b"".join(parts)


def whole(data, sizes):
    """Read bytes to their end, in pieces of those lengths over and over; returns all that came out."""
    reader = TransportReader(io.BytesIO(data))
    lengths = itertools.cycle(sizes)
    parts = []
    while not reader.is_ended:
        while part := reader.read(next(lengths)):
            parts.append(part)
        reader.next_program()
    return b"".join(parts)


@given(data=damaged(), sizes=st.lists(st.integers(1, 1000), min_size=1))
def test_damaged_bytes_come_out_as_they_are(data, sizes):
    assert whole(data, sizes) == data
