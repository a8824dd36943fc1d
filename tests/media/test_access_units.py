import io

import pytest
from transport_streams import (
    STEP,
    TYPES,
    VIDEO_PID,
    Transport,
    first_in_their_packets,
    grouped,
    laid_out,
    one_stream,
    units,
)

from byoc_kit.media.access_units import access_units
from byoc_kit.media.demux import open_stream

CODECS = list(TYPES)
AAC, AUDIO_PID = 0x0F, 0x101


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


def with_audio(packets, *, ahead):
    """Write PES packets, and behind each a piece of sound, which is so far ahead of the pictures."""
    transport = Transport()
    for number, (payload, pts, dts) in enumerate(packets):
        if number % 8 == 0:
            transport.tables([(TYPES["libx264"], VIDEO_PID), (AAC, AUDIO_PID)])
        if payload:
            transport.pes(payload, pts=pts, dts=dts)
        transport.pes(bytes(50), pid=AUDIO_PID, pts=ahead + number * STEP, stream_id=0xC0)
    return bytes(transport.data)


@pytest.mark.parametrize("ahead", [0, 90_000])
def test_sound_ahead_of_cut_pictures_costs_none_of_their_parts(ahead):
    sent = units()
    packets = [part for unit in sent for part in ((unit.data[:90], unit.pts, unit.dts), (unit.data[90:], None, None))]
    data = with_audio(packets, ahead=packets[0][1] + ahead)
    with open_stream(io.BytesIO(data)) as container:
        videos = [packet for packet in access_units(container.demux()) if packet.size and packet.stream.type == "video"]
    assert [(bytes(packet), packet.pts) for packet in videos] == [(unit.data, unit.pts) for unit in sent]


def test_a_picture_that_waits_comes_out_where_only_sound_follows():
    sent = units()[0]
    data = with_audio([(sent.data, sent.pts, sent.dts), *[(b"", None, None)] * 40], ahead=sent.pts)
    with open_stream(io.BytesIO(data)) as container:
        kinds = [packet.stream.type for packet in access_units(container.demux()) if packet.size]
    assert kinds.count("video") == 1
    assert kinds.index("video") * STEP / 90_000 == pytest.approx(0.5, abs=0.1)
