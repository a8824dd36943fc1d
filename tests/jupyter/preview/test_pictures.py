import gc
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from byoc_kit import VideoFrame
from byoc_kit.jupyter.preview.pictures import (
    POSTER_LIMIT_BYTES,
    PairEncoder,
    jpeg,
    pixels_of,
    scaled_i420,
    side_by_side,
)
from byoc_kit.media.picture import DecodedPicture, DisplayInfo

_BT709 = 1


def decoded(width, height, *, kind="yuv420p", display=None):
    """A picture of smooth colours, as a decoder would give it."""
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * columns / width, 255 * rows / height, 128 + 0 * rows], axis=-1).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=kind)
    return VideoFrame(None, 0, Fraction(1, 30), origin=DecodedPicture(frame, display or DisplayInfo()))


def encode(frame, width):
    [data] = PairEncoder(width).encode(frame, None)
    return data


def opened(data):
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("frame", "is_quick"),
    [
        (decoded(1280, 720), True),
        (decoded(1280, 722), False),
        (decoded(1280, 720, display=DisplayInfo(_BT709)), False),
        (decoded(1280, 720, kind="yuv444p"), False),
        (decoded(1280, 720, kind="yuvj420p", display=DisplayInfo(is_full_range=True)), False),
    ],
    ids=["plain", "odd when scaled", "BT.709", "4:4:4", "full range"],
)
def test_a_decoded_picture_is_encoded_as_its_pixels_are(frame, is_quick):
    size = (640, round(640 * frame.height / frame.width))
    assert (scaled_i420(frame.origin, size) is not None) == is_quick
    by_pixels = encode(VideoFrame.from_pixels(frame.original().pixels), 640)
    by_picture = opened(encode(frame, 640))
    assert by_picture.shape[1::-1] == size
    assert np.abs(by_picture - opened(by_pixels)).mean() < 2
    assert frame.untouched is not None


@pytest.mark.parametrize(
    ("size", "shown"), [((1080, 1920), (360, 640)), ((720, 720), (640, 640)), ((1, 999), (1, 640))]
)
def test_a_portrait_picture_takes_no_more_pixels_than_a_landscape_one(size, shown):
    frames = [decoded(*size)] if size[0] > 1 else []
    for frame in [*frames, VideoFrame.from_pixels(np.zeros((size[1], size[0], 3), np.uint8))]:
        assert opened(encode(frame, 640)).shape[1::-1] == shown


def test_a_poster_of_portrait_pictures_is_no_higher_than_wide():
    tall = np.zeros((1920, 1080, 3), np.uint8)
    assert opened(side_by_side(tall, tall, 640)).shape == (640, 360 + 8 + 360, 3)


def test_a_narrow_picture_is_not_enlarged():
    assert opened(encode(decoded(96, 64), 640)).shape == (64, 96, 3)


@pytest.mark.parametrize(("left", "right"), [((96, 64), (96, 64)), ((90, 50), (96, 64)), ((96, 64), (32, 20))])
def test_a_pair_has_two_pictures_of_any_sizes(left, right):
    red, blue = (np.zeros((height, width, 3), np.uint8) for width, height in (left, right))
    red[..., 0], blue[..., 2] = 200, 200
    pair = PairEncoder(640).encode(VideoFrame.from_pixels(red), VideoFrame.from_pixels(blue))
    for data, size, colour in zip(pair, (left, right), ([200, 0, 0], [0, 0, 200]), strict=True):
        assert opened(data).shape[1::-1] == size
        assert np.abs(opened(data) - colour).max() <= 4


def test_a_picture_that_is_kept_is_encoded_once():
    encoder, kept = PairEncoder(640), decoded(96, 64)
    first, passed_on = encoder.encode(kept.original(), kept.original())
    [again] = encoder.encode(kept.original(), None)
    assert first is passed_on
    assert first is again


def test_a_picture_that_was_written_to_is_encoded_as_it_is():
    encoder, frame = PairEncoder(640), decoded(96, 64)
    written = frame.original()
    written.pixels[:] = 255
    before, after = encoder.encode(frame, written)
    assert opened(before).mean() < 200
    assert opened(after).mean() > 250


def test_what_was_encoded_is_kept_no_longer_than_its_picture():
    encoder, frame = PairEncoder(640), decoded(96, 64)
    encoder.encode(frame, None)
    assert len(encoder._encoded) == 1
    del frame
    gc.collect()
    assert len(encoder._encoded) == 0


def test_a_jpeg_becomes_the_pixels_that_it_was_made_of():
    pixels = decoded(96, 64).pixels
    assert np.abs(pixels_of(jpeg(pixels, 95)).astype(int) - pixels).max() < 20
    assert np.array_equal(pixels_of(jpeg(pixels)), opened(jpeg(pixels)))


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_is_no_jpeg_has_no_pixels(data):
    assert pixels_of(data) is None


def test_red_stays_red():
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 0] = 200
    assert opened(encode(VideoFrame.from_pixels(red), 48)).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)


def test_a_poster_stays_small_whatever_it_shows():
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    assert len(side_by_side(noise, noise, 1280)) < POSTER_LIMIT_BYTES


def test_a_poster_has_both_pictures():
    before, after = np.full((64, 96, 3), 40, np.uint8), np.full((32, 48, 3), 220, np.uint8)
    sheet = opened(side_by_side(before, after, 640))
    assert sheet.shape == (64, 96 + 8 + 48, 3)
    assert sheet[:, :96].mean() == pytest.approx(40, abs=2)
    assert sheet[:32, 104:].mean() == pytest.approx(220, abs=2)
