from pathlib import Path

import pytest

from byoc_kit.media.clip import live_clip
from byoc_kit.media.mpegts import PACKET, SegmentCutter

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"


@pytest.fixture(scope="module")
def stream():
    return live_clip(CLIP).data


@pytest.mark.parametrize("size", [1, 100, PACKET, 1000, 32_768, 10**7])
def test_nothing_is_lost_and_the_cut_is_the_same_however_the_bytes_come(stream, size):
    data = stream[: 400 * PACKET] * 2
    cutter = SegmentCutter()
    parts = [part for start in range(0, len(data), size) for part in cutter.cut(data[start : start + size])]
    assert b"".join(part.data for part in parts) == data
    starts, position = [], 0
    for part in parts:
        if part.begins_segment:
            starts.append(position)
        position += len(part.data)
    assert starts == [0, len(data) // 2]


def test_a_segment_begins_with_its_tables(stream):
    [first, *_] = SegmentCutter().cut(stream)
    assert first.begins_segment
    pids = [(first.data[i + 1] & 0x1F) << 8 | first.data[i + 2] for i in range(0, 4 * PACKET, PACKET)]
    assert 0x0000 in pids[:3]
    assert 0x1000 in pids[:3]
