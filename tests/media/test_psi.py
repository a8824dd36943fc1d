import zlib

import pytest
from transport_streams import PMT_PID, one_stream, units

from byoc_kit.media.psi import PACKET, PAT_PID, Elementary, Tables, crc32, pid_of, section_of


@pytest.fixture
def packets():
    """The transport packets of a short stream of H.264."""
    data = one_stream([(unit.data, unit.pts, unit.dts) for unit in units(count=2)])
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


def test_the_tables_name_the_first_programme_and_its_streams(packets):
    tables = Tables()
    assert [tables.take(packet) for packet in packets if pid_of(packet) in {PAT_PID, PMT_PID}][:2] == [False, False]
    assert tables.pmt_pid == PMT_PID
    assert [stream.kind for stream in tables.streams] == [0x1B]
    assert tables.video_pid == tables.streams[0].pid
    assert tables.packets == tables.pat_packet + tables.pmt_packet


def test_a_table_with_a_wrong_crc_is_passed_over(packets):
    pat = next(packet for packet in packets if pid_of(packet) == PAT_PID)
    broken = bytearray(pat)
    broken[10] ^= 1
    assert section_of(pat)
    assert section_of(bytes(broken)) == b""
    tables = Tables()
    assert not tables.take(bytes(broken))
    assert tables.pmt_pid == -1


def test_the_crc_is_that_of_mpeg_2_and_0_over_a_section_with_its_own():
    assert crc32(b"123456789") == 0x0376E6E7  # the check value of CRC-32/MPEG-2
    assert crc32(b"123456789" + (0x0376E6E7).to_bytes(4)) == 0
    assert crc32(b"123456789") != zlib.crc32(b"123456789")


@pytest.mark.parametrize(
    ("stream", "text", "is_other_video"),
    [
        (Elementary(0x1B, 256), "H.264 (stream type 0x1b)", False),
        (Elementary(0x06, 256, "AV01"), "AV1 (stream type 0x06)", True),
        (Elementary(0x33, 256), "VVC (stream type 0x33)", True),
        (Elementary(0x99, 256), "unknown (stream type 0x99)", False),
    ],
)
def test_a_stream_is_named_for_people(stream, text, is_other_video):
    assert (str(stream), stream.is_other_video) == (text, is_other_video)
