from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_clips import numbers, picture

from byoc_kit.core.pixels import FrameError
from byoc_kit.media.clip import Clip, read_clip
from byoc_kit.media.mp4 import Mp4Writer, save_mp4
from byoc_kit.media.paced_clip import live_clip

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"
STEP = 3600  # 25 frames a second


@pytest.fixture
def writer(tmp_path):
    return Mp4Writer(tmp_path / "out.mp4", rate=Fraction(25))


def boxes(path):
    """Return the kinds of an MP4's outer boxes, in order."""
    data, at, kinds = path.read_bytes(), 0, []
    while at < len(data):
        kinds.append(data[at + 4 : at + 8].decode("ascii"))
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


def test_pictures_are_read_back_in_order_with_their_times(writer):
    times = [0, STEP, 3 * STEP, 4 * STEP]
    for number, pts in enumerate(times):
        writer.write(picture(number), pts)
    writer.close()
    frames = list(Clip(writer.path).frames())
    assert numbers(frames) == [0, 1, 2, 3]
    assert [round(frame.pts * frame.time_base * 90_000) for frame in frames] == times
    assert boxes(writer.path).index("moov") < boxes(writer.path).index("mdat")


def test_an_odd_size_loses_its_last_row_and_column_and_another_size_is_scaled_to_the_first(writer):
    writer.write(picture(0)[:-1, :-1], 0)
    writer.write(picture(1, 96, 54), STEP)
    writer.close()
    assert writer.shape == (106, 190)
    assert [(frame.height, frame.width) for frame in Clip(writer.path).frames()] == [(106, 190)] * 2


def test_the_last_picture_is_held_until_a_later_time_and_not_an_earlier_one(writer):
    writer.write(picture(5), 2 * STEP)
    writer.hold(STEP)
    writer.hold(10 * STEP)
    writer.close()
    frames = list(Clip(writer.path).frames())
    assert numbers(frames) == [5, 5]
    assert (frames[1].pts - frames[0].pts) * frames[0].time_base == Fraction(8, 25)


def test_what_is_abandoned_plays_up_to_its_last_picture_but_one(writer):
    for number in range(4):
        writer.write(picture(number), number * STEP)
    writer.abandon()
    assert numbers(Clip(writer.path).frames()) == [0, 1, 2]


def test_what_is_abandoned_without_a_whole_picture_is_removed(writer):
    writer.write(picture(0), 0)
    writer.abandon()
    assert not writer.path.exists()


def test_a_picture_without_a_pair_of_rows_is_refused(writer):
    with pytest.raises(FrameError, match="96x1 is no size for video"):
        writer.write(np.zeros((1, 96, 3), np.uint8), 0)
    writer.close()
    assert not writer.path.exists()


def test_saved_mp4_keeps_pictures_and_sound(tmp_path):
    path = tmp_path / "out.mp4"
    save_mp4(live_clip(CLIP).data, path)
    assert len(list(read_clip(path))) == 132
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
