from fractions import Fraction

import av
import numpy as np
import pytest

from byoc_kit.media.demux import MediaError
from byoc_kit.media.picture_table import PictureTable, read_table

RATE = 25


@pytest.fixture
def write(tmp_path):
    """Write a clip of grey pictures, each at one of the ``times``, in 1/25 s."""

    def write(times, name="clip.mp4", codec="libx264", **options):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=RATE, options={"g": "5", **options})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.time_base = Fraction(1, RATE)
            for time in times:
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * time, np.uint8), "rgb24")
                picture.pts, picture.time_base = time, Fraction(1, RATE)
                container.mux(stream.encode(picture.reformat(format="yuv420p")))
            container.mux(stream.encode())
        return path

    return write


def seconds(table):
    return [round(table.time_s(number) * RATE, 3) for number in range(len(table.times) + 1)]


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_packets_tell_times_in_the_order_in_which_pictures_are_shown(write, b_frames):
    table = read_table(write(range(12), bf=b_frames))
    assert seconds(table) == list(range(13))
    assert not table.is_counted
    assert table.damaged == 0


def test_pictures_last_until_the_next(write):
    assert seconds(read_table(write([0, 1, 5, 6])))[:4] == [0, 1, 5, 6]


def test_each_key_frame_is_an_entry(write):
    table = read_table(write(range(12), bf="0"))
    assert [table.times.index(entry.pts) for entry in table.entries] == [0, 5, 10]


def test_where_there_are_no_times_pictures_are_counted(write):
    table = read_table(write(range(10), name="clip.h264"))
    assert table.is_counted
    assert table.entries == []
    assert seconds(table) == list(range(11))


def test_times_past_the_end_are_the_end():
    table = PictureTable([10, 20], 30, Fraction(1, 10), [])
    assert [table.time_s(number) for number in range(4)] == [0, 1, 2, 2]
    assert PictureTable([], 0, Fraction(1, 10), []).time_s(0) == 0


def test_a_stream_without_a_picture_is_reported_with_the_clip(write, tmp_path):
    path = write(range(1), name="clip.mkv", codec="mpeg4")
    data = path.read_bytes()
    at = data.index(b"\x00\x00\x01\xb6")
    path.write_bytes(data[: at + 3] + b"\xb2" + data[at + 4 :])  # the only picture is called user data
    with pytest.raises(MediaError, match=r"clip\.mkv has a video stream without a picture that can be decoded"):
        read_table(path)
