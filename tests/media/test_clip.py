import random
import threading
from contextlib import closing
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from numbered_clips import GOP, copy_from, damage, decoded_straight, make_clip, numbers, packets_of

from byoc_kit.media import clip as clip_module
from byoc_kit.media.clip import Clip, read_clip
from byoc_kit.media.demux import MediaError
from byoc_kit.media.picture import DecodedPicture
from byoc_kit.sources.source import is_clip_source
from byoc_kit.sources.synthetic import read_number

OPEN_GOP = {"x264-params": f"open-gop=1:keyint={GOP}:bframes=3:b-adapt=0"}
REFRESHED = {"x264-params": f"intra-refresh=1:keyint={GOP}:bframes=0"}
OPEN_GOP_HEVC = {"x265-params": f"open-gop=1:keyint={GOP}:bframes=3:log-level=none"}

MADE = {
    "one reference.mp4": {},
    "b-frames.mp4": {"b_frames": 3},
    "b-frames.mkv": {"b_frames": 3},
    "b-frames.ts": {"b_frames": 3},
    "b-frames.flv": {"b_frames": 2},
    "fragments.mp4": {"b_frames": 2, "mux": {"movflags": "frag_keyframe+empty_moov"}},
    "open gop.mp4": {"options": OPEN_GOP},
    "open gop.ts": {"options": OPEN_GOP},
    "open gop hevc.mp4": {"codec": "libx265", "options": OPEN_GOP_HEVC},
    "refreshed bit by bit.ts": {"options": REFRESHED},
    "wrong times.avi": {"b_frames": 3},
    "without times.h264": {"b_frames": 3},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 2},
    "jpegs.mjpeg": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "one key frame.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "all called key frames.apng": {"codec": "apng", "pixel_format": "rgb24"},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "av1.mkv": {"codec": "libaom-av1", "options": {"cpu-used": "8"}, "count": 12},
    "uneven.mp4": {"b_frames": 2, "time_ms": lambda number: 40 * number + number % 5 * 7 + 500 * (number > 20)},
    "late start.mp4": {"b_frames": 2, "time_ms": lambda number: 5000 + 40 * number},
}


def cut_by_an_edit_list(folder):
    path = copy_from(make_clip(folder / "whole.mp4", b_frames=3), folder / "cut.mp4", 13)
    assert any(is_discard for _, _, is_discard, _, _ in packets_of(path))
    return path


def open_gop_cut_in_front(folder):
    path = copy_from(make_clip(folder / "whole.mp4", options=OPEN_GOP), folder / "cut.mkv", 17)
    assert any(pts is None for pts, *_ in packets_of(path)) or len(packets_of(path)) > len(decoded_straight(path))
    return path


def begins_without_a_key_frame(folder):
    whole = make_clip(folder / "whole.ts", options=OPEN_GOP)
    path = folder / "cut.ts"
    content, begin = whole.read_bytes(), packets_of(whole)[6][3]
    tables = content[: 3 * 188]
    path.write_bytes(tables + content[begin // 188 * 188 :])
    assert not packets_of(path)[0][1]
    return path


def two_files_joined(folder):
    parts = [make_clip(folder / "one.ts", b_frames=2), make_clip(folder / "two.ts", b_frames=2, first=30)]
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def breaks_off(folder):
    whole = make_clip(folder / "whole.ts", b_frames=3).read_bytes()
    path = folder / "half.ts"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    return path


CUT = [cut_by_an_edit_list, open_gop_cut_in_front, begins_without_a_key_frame, two_files_joined, breaks_off]


def check_every_index_and_random_jumps(path):
    straight = decoded_straight(path)
    clip = Clip(path)
    assert clip.count == len(straight) > GOP
    assert all(map(np.array_equal, (frame.pixels for frame in clip.frames()), straight))
    for start in random.Random(1).sample(range(clip.count), clip.count):  # noqa: S311  # the same jumps each time
        with closing(clip.frames(start)) as frames:
            run = [frame.pixels for frame in islice(frames, 2)]
        assert len(run) == min(2, len(straight) - start)
        assert all(map(np.array_equal, run, straight[start:])), start
    assert clip.count == len(straight)
    return clip


@pytest.mark.parametrize("name", MADE)
def test_every_frame_is_the_one_that_decoding_from_the_start_gives(tmp_path, name):
    clip = check_every_index_and_random_jumps(make_clip(tmp_path / name, **MADE[name]))
    assert numbers(clip.frames()) == list(range(MADE[name].get("count", 30)))


@pytest.mark.parametrize("make", CUT)
def test_a_clip_that_was_cut_is_exact_too(tmp_path, make):
    clip = check_every_index_and_random_jumps(make(tmp_path))
    assert clip.time_s(0) == 0


def test_each_frame_has_its_own_time_and_keeps_its_undecoded_picture(clip):
    opened = Clip(clip)
    for frame, expected in zip(opened.frames(100), islice(read_clip(clip), 100, None), strict=True):
        assert (frame.pts, frame.time_base) == (expected.pts, expected.time_base)
        assert isinstance(frame.untouched, DecodedPicture)
        assert np.array_equal(frame.pixels, expected.pixels)


def test_the_pixels_are_the_ones_that_ffmpeg_converts(clip):
    with av.open(str(clip)) as container:
        expected = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(next(read_clip(clip)).pixels, expected)


@pytest.mark.parametrize(("width", "height"), [(320, 180), (101, 57), (1280, 720)])
def test_a_width_scales_the_frame_and_the_height_follows(clip, width, height):
    frame = next(read_clip(clip, width=width))
    assert frame.pixels.shape == (height, width, 3)
    assert frame.time_base == Fraction(1, 12_800)


def test_what_is_written_into_a_frame_is_in_no_other(tmp_path):
    opened = Clip(make_clip(tmp_path / "a.mp4", count=5))
    next(opened.frames(2)).pixels[:] = 0
    assert read_number(next(opened.frames(2)).pixels) == 2


def test_times_begin_at_zero_and_follow_the_clip_s_own(tmp_path):
    step_ms = [0, 40, 120, 130, 400]
    opened = Clip(make_clip(tmp_path / "a.mp4", count=5, time_ms=lambda number: 3000 + step_ms[number]))
    assert [opened.time_s(number) for number in range(5)] == pytest.approx([step / 1000 for step in step_ms], abs=1e-3)
    assert opened.time_s(5) > opened.time_s(4)
    assert opened.time_s(6) == opened.time_s(5)
    assert opened.fps == pytest.approx(5 / opened.time_s(5))
    with pytest.raises(IndexError, match="there is no frame -1"):
        opened.time_s(-1)


def test_a_clip_is_a_clip_source_with_its_file_s_name(clip):
    opened = Clip(clip)
    assert is_clip_source(opened)
    assert (opened.name, opened.count, opened.fps) == ("bigbuckbunny.mp4", 132, pytest.approx(25))
    assert opened.time_s(132) == pytest.approx(132 / 25)


@pytest.mark.parametrize("number", [-1, 5, 1000])
def test_a_frame_that_is_not_there_is_refused_at_once(tmp_path, number):
    opened = Clip(make_clip(tmp_path / "a.mp4", count=5))
    with pytest.raises(IndexError, match=f"there is no frame {number}; the frames are 0 to 4"):
        opened.frames(number)


def test_a_jump_decodes_from_the_key_frame_before(tmp_path, monkeypatch):
    opened = Clip(make_clip(tmp_path / "a.mp4", count=200))
    decoded = []

    def counted(*args, **options):
        for picture in clip_decoded(*args, **options):
            decoded.append(picture)
            yield picture

    clip_decoded = clip_module.decoded
    monkeypatch.setattr(clip_module, "decoded", counted)
    with closing(opened.frames(16 * GOP + 5)) as frames:
        assert read_number(next(frames).pixels) == 16 * GOP + 5
    assert len(decoded) <= GOP


def test_opening_decodes_the_first_pictures_only(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "a.mp4", count=200, b_frames=2)
    decoded = []
    decode = clip_module.read_table.__globals__["decoded"]

    def counted(*args, **options):
        for picture in decode(*args, **options):
            decoded.append(picture)
            yield picture

    monkeypatch.setitem(clip_module.read_table.__globals__, "decoded", counted)
    assert Clip(path).count == 200
    assert len(decoded) < 20


def test_closing_a_reading_closes_the_file(tmp_path, monkeypatch):
    source = Clip(make_clip(tmp_path / "a.mp4"))
    opened = []
    open_clip = clip_module.open_clip
    monkeypatch.setattr(
        clip_module, "open_clip", lambda path, **options: opened.append(open_clip(path, **options)) or opened[-1]
    )
    frames = source.frames(20)
    next(frames)
    assert opened
    frames.close()
    for container in opened:
        with pytest.raises(AssertionError, match="Container is not open"):
            container.seek(0)


@pytest.fixture
def damaged(tmp_path):
    """A clip of 30 pictures without the 20th, counted from 0, and the last, which shows when they are decoded."""
    path = make_clip(tmp_path / "a.avi", "mjpeg", pixel_format="yuvj420p")
    damage(path, 20)
    damage(path, 29)
    opened = Clip(path)
    assert opened.count == 30
    return opened


def test_pictures_that_turn_out_to_be_damaged_are_left_out_and_the_count_shrinks(damaged):
    assert numbers(damaged.frames()) == [*range(20), *range(21, 29)]
    assert damaged.count == 28
    assert numbers(islice(damaged.frames(19), 3)) == [19, 21, 22]
    assert damaged.time_s(20) == pytest.approx(21 / 25)


def test_a_jump_to_a_damaged_picture_gives_the_next_one(damaged):
    assert numbers(islice(damaged.frames(20), 2)) == [21, 22]
    assert damaged.count == 29


def test_a_jump_to_a_damaged_last_picture_gives_none(damaged):
    assert numbers(damaged.frames(29)) == []
    assert damaged.count == 29


def test_two_readings_at_once_keep_their_places_when_the_count_shrinks(damaged):
    late = damaged.frames(24)
    first = [next(late)]
    assert len(list(damaged.frames())) == 28
    assert numbers([*first, *late]) == list(range(24, 29))


def test_many_threads_may_read_one_clip(tmp_path):
    opened = Clip(make_clip(tmp_path / "a.mp4", b_frames=2))
    found = {}

    def read(start):
        found[start] = numbers(islice(opened.frames(start), 4))

    threads = [threading.Thread(target=read, args=(start,)) for start in range(0, 26, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {start: list(range(start, start + 4)) for start in range(0, 26, 5)}


def test_a_clip_of_one_picture_has_a_pace(tmp_path):
    opened = Clip(make_clip(tmp_path / "a.mp4", count=1))
    assert (opened.count, opened.fps) == (1, pytest.approx(25))


def test_a_clip_without_a_picture_that_can_be_decoded_is_named(tmp_path):
    path = make_clip(tmp_path / "a.avi", "mjpeg", count=2, pixel_format="yuvj420p")
    damage(path, 0)
    damage(path, 1)
    with pytest.raises(MediaError, match=r"a\.avi has a video stream without a picture that can be decoded; give an"):
        Clip(path)
