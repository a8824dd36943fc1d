from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from byoc_kit.media.decode import MediaError
from byoc_kit.sources import is_clip_source, open_source, read_number
from byoc_kit.sources.synthetic import PATTERNS, Synthetic, pattern


@pytest.mark.parametrize("name", PATTERNS)
def test_a_frame_follows_from_its_number_alone(name):
    source = open_source(f"synthetic:{name}")
    run = [frame.pixels for frame in islice(source.frames(100), 5)]
    pattern.cache_clear()
    again = [next(Synthetic(name).frames(number)).pixels for number in range(100, 105)]
    assert all(map(np.array_equal, run, again))
    assert [read_number(pixels) for pixels in run] == list(range(100, 105))


@pytest.mark.parametrize("name", PATTERNS)
def test_what_it_shows_moves(name):
    source = open_source(f"synthetic:{name}")
    below_the_numbers = [frame.pixels[220:] for frame in islice(source.frames(), 10)]
    assert all(not np.array_equal(one, below_the_numbers[0]) for one in below_the_numbers[1:])


@pytest.mark.parametrize("name", PATTERNS)
def test_what_is_written_into_a_frame_is_in_no_other(name):
    source = open_source(f"synthetic:{name}")
    expected = next(source.frames(7)).pixels.copy()
    next(source.frames(7)).pixels[:] = 0
    assert np.array_equal(next(source.frames(7)).pixels, expected)


def test_a_pattern_is_a_clip_source_of_ten_seconds_at_720p():
    source = open_source("synthetic")
    assert is_clip_source(source)
    assert (source.name, source.count, source.fps) == ("bars", 300, 30.0)
    assert (source.time_s(0), source.time_s(15), source.time_s(300), source.time_s(301)) == (0, 0.5, 10, 10)
    frame = next(source.frames(15))
    assert frame.pixels.shape == (720, 1280, 3)
    assert (frame.pts, frame.time_base) == (15, Fraction(1, 30))
    assert len(list(source.frames(290))) == 10


@pytest.mark.parametrize("size", [(96, 54), (320, 180), (641, 359), (1920, 1080)])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_drawn_in_any_size(name, size):
    width, height = size
    for frame in islice(Synthetic(name, width=width, height=height, count=1000).frames(995), 5):
        assert frame.pixels.shape == (height, width, 3)
    assert read_number(frame.pixels) == 999


def test_digits_for_people_differ_from_number_to_number():
    source = Synthetic("bars", width=320, height=180)
    corners = [frame.pixels[20:46, :100].tobytes() for frame in islice(source.frames(100), 10)]
    assert len(set(corners)) == 10


def test_a_pattern_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(MediaError) as raised:
        open_source("synthetic:plasma")
    assert str(raised.value) == "there is no pattern 'plasma'; take bars, ball, ramp or noise"


@pytest.mark.parametrize("number", [-1, 300])
def test_a_frame_that_is_not_there_is_refused_at_once(number):
    with pytest.raises(IndexError, match=f"there is no frame {number}; the frames are 0 to 299"):
        open_source("synthetic").frames(number)
