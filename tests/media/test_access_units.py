import io

import pytest
from transport_streams import TYPES, first_in_their_packets, grouped, laid_out, one_stream, units

from byoc_kit.media.access_units import access_units
from byoc_kit.media.decode import open_stream

CODECS = list(TYPES)


def pictures_of(data):
    """Return the bytes and the times of each picture."""
    with open_stream(io.BytesIO(data)) as container:
        return [(bytes(packet), packet.pts) for packet in access_units(container.demux(video=0)) if packet.size]


def read_order(data):
    """Return which packet had been read when each picture came out."""
    order, count = [], 0

    def counted(packets):
        nonlocal count
        for packet in packets:
            count += bool(packet.size)
            yield packet

    with open_stream(io.BytesIO(data)) as container:
        for packet in access_units(counted(container.demux(video=0))):
            if packet.size:
                order += [count]
    return order


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("codec", CODECS)
def test_a_picture_a_packet_comes_out_with_its_last_byte_but_for_the_first(codec, b_frames):
    sent = units(codec, b_frames=b_frames)
    data = one_stream(grouped(sent, [1]), codec)
    assert pictures_of(data) == [(unit.data, unit.pts) for unit in sent]
    assert read_order(data) == [2, *range(2, len(sent) + 1)]


@pytest.mark.parametrize("counts", [[2], [5], [15], [1, 3]])
@pytest.mark.parametrize("codec", CODECS)
def test_several_pictures_a_packet_are_taken_apart_and_the_first_has_the_time(codec, counts):
    sent = units(codec, b_frames=2)
    packets = grouped(sent, counts)
    found = pictures_of(one_stream(packets, codec))
    assert [data for data, _ in found] == [unit.data for unit in sent]
    assert [pts for _, pts in found if pts is not None] == [pts for _, pts, _ in packets]


@pytest.mark.parametrize("sizes", [[100], [47, 310], [90, 900, 33]])
@pytest.mark.parametrize("codec", CODECS)
def test_packets_cut_anywhere_are_put_together(codec, sizes):
    sent = units(codec, b_frames=2)
    assert pictures_of(one_stream(laid_out(sent, sizes), codec)) == [
        (unit.data, unit.pts if is_first else None)
        for unit, is_first in zip(sent, first_in_their_packets(sent, sizes), strict=True)
    ]
