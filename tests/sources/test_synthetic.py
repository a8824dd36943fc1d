import io
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image

from byoc_kit.media.demux import MediaError
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import is_clip_source
from byoc_kit.sources.synthetic import (
    LARGEST_NUMBER,
    PATTERNS,
    NumberError,
    Synthetic,
    pattern,
    read_number,
    write_number,
)

NUMBERS = [0, 1, 2, 199, 255, 256, 299]


def frame_of(pattern, number):
    return next(open_source(f"synthetic:{pattern}").frames(number))


def resized(pixels, width):
    height = round(pixels.shape[0] * width / pixels.shape[1])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def through_jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def through_h264(pictures):
    height, width = pictures[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 30)
    encoder.options = {"crf": "35", "preset": "veryfast"}
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for number, pixels in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24").reformat(width, height, "yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return [frame.to_ndarray(format="rgb24") for frame in frames]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_number_is_read_scaled_through_jpeg(pattern):
    for number in NUMBERS:
        pixels = frame_of(pattern, number).pixels
        assert read_number(pixels) == number
        assert read_number(through_jpeg(pixels, 30)) == number
        assert read_number(through_jpeg(resized(pixels, 320), 40)) == number


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_number_is_read_through_h264(pattern):
    pictures = [resized(frame_of(pattern, number).pixels, 320) for number in range(8)]
    assert [read_number(pixels) for pixels in through_h264(pictures)] == list(range(8))


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: 255 - pixels,
        lambda pixels: (pixels * np.array([0.2, 1, 0.1])).astype(np.uint8),
        lambda pixels: pixels // 4 + 60,
        lambda pixels: np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    ],
    ids=["inverted", "tinted", "flat", "grey"],
)
def test_a_number_survives_what_a_process_frame_may_do(change):
    assert [read_number(change(frame_of("bars", number).pixels)) for number in NUMBERS] == NUMBERS


def test_every_number_comes_back_at_the_smallest_width():
    pixels = np.zeros((50, 88, 3), np.uint8)
    for number in [*range(0, LARGEST_NUMBER, 257), LARGEST_NUMBER]:
        write_number(pixels, number)
        assert read_number(pixels) == number


def test_a_picture_without_a_number_is_refused():
    with pytest.raises(NumberError, match="the picture has no number in it"):
        read_number(np.full((180, 320, 3), 90, np.uint8))


def test_a_number_with_one_wrong_cell_is_refused():
    original = frame_of("bars", 77).pixels
    for cell in range(2, 22):
        pixels = original.copy()
        columns = slice(round(cell * 1280 / 22), round((cell + 1) * 1280 / 22))
        pixels[:40, columns] = 255 - pixels[:40, columns]
        with pytest.raises(NumberError, match="do not match their check"):
            read_number(pixels)


def test_a_mirrored_or_shifted_picture_does_not_pass_for_another_number():
    pixels = frame_of("bars", 77).pixels
    for wrong in (pixels[:, ::-1], np.roll(pixels, 116, axis=1), pixels[::-1]):
        with pytest.raises(NumberError):
            read_number(wrong)


@pytest.mark.parametrize("number", [-1, LARGEST_NUMBER + 1])
def test_a_number_that_does_not_fit_is_refused(number):
    with pytest.raises(NumberError, match=f"0 to {LARGEST_NUMBER}, not {number}"):
        write_number(np.zeros((50, 88, 3), np.uint8), number)


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
