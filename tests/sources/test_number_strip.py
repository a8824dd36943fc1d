import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from byoc_kit.sources import open_source, read_number
from byoc_kit.sources.number_strip import LARGEST_NUMBER, NumberError, write_number
from byoc_kit.sources.synthetic import PATTERNS

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
        with pytest.raises(NumberError, match="do not fit their check"):
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
