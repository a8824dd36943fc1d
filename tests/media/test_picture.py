import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from byoc_kit.media.picture import DecodedPicture, DisplayInfo, pixels_to_yuv420p

RAMP = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (32, 1))[..., None], 3, 2)  # column x has the value x
GRAY = ["gray", "gray9le", "gray10le", "gray12le", "gray14le", "gray16le", "gray16be", "ya8", "ya16le", "grayf32le"]
RGB = [
    "gbrp",
    "gbrp10le",
    "gbrp16le",
    "gbrap",
    "rgb48le",
    "rgb48be",
    "rgba64le",
    "rgba",
    "bgra",
    "bgr0",
    "argb",
    "bgr24",
]
YUV = [
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv440p",
    "yuva420p",
    "yuva444p10le",
    "nv12",
    "p010le",
    "yuv422p10le",
    "yuyv422",
]
WHITE_AND_RED = np.zeros((32, 32, 3), np.uint8)
WHITE_AND_RED[:16] = 255
WHITE_AND_RED[16:, :, 0] = 220


def as_format(pixels, name):
    return VideoReformatter().reformat(av.VideoFrame.from_ndarray(pixels, "rgb24"), format=name)


def off(found, expected):
    return int(np.abs(found.astype(int) - expected).max())


def halves(pixels):
    """Return the rows of either colour that share no chroma with the other."""
    return np.concatenate([pixels[:12], pixels[20:]])


@pytest.mark.parametrize(("name", "most"), [*((name, 0) for name in GRAY + RGB), *((name, 4) for name in YUV)])
def test_a_ramp_keeps_its_values(name, most):
    picture = DecodedPicture.of(as_format(RAMP, name))
    assert off(picture.to_pixels(), RAMP) <= most
    halved = picture.to_pixels(size=(128, 16))
    assert off(halved, np.arange(0.5, 256, 2)[None, :, None]) <= most + 1
    assert off(DecodedPicture(picture.to_yuv420p(), picture.display).to_pixels(), RAMP) <= most + 3


def test_gray_that_says_the_limited_range_is_read_so():
    frame = as_format(RAMP, "gray10le")
    frame.color_range = 1
    pixels = DecodedPicture.of(frame).to_pixels()
    assert [int(pixels[0, x, 0]) for x in (16, 235)] == [0, 255]


@pytest.mark.parametrize("name", RGB)
def test_rgb_goes_out_in_the_matrix_that_it_names(name):
    frame = as_format(WHITE_AND_RED, name)
    frame.colorspace, frame.color_range = 0, 2  # as decoders say of RGB
    picture = DecodedPicture.of(frame)
    assert (picture.display.matrix, picture.display.is_full_range) == (5, False)
    out = picture.to_yuv420p()
    assert out.format.name == "yuv420p"
    assert off(halves(DecodedPicture(out, picture.display).to_pixels()), halves(WHITE_AND_RED)) <= 4


def test_full_range_yuv_stays_so():
    frame = as_format(RAMP, "yuvj444p")
    picture = DecodedPicture.of(frame)
    assert picture.display.is_full_range
    assert picture.to_yuv420p().format.name == "yuvj420p"
    assert off(picture.to_pixels(), RAMP) <= 2


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
def test_a_matrix_is_used_as_it_is_named(matrix):
    look = DisplayInfo(matrix)
    frame = pixels_to_yuv420p(WHITE_AND_RED, look)
    assert off(halves(DecodedPicture(frame, look).to_pixels()), halves(WHITE_AND_RED)) <= 4


@pytest.mark.parametrize("name", ["rgb24", "gbrp", "yuv420p"])
def test_pixels_that_are_written_to_do_not_change_the_picture(name):
    picture = DecodedPicture.of(as_format(RAMP, name))
    picture.to_pixels()[:] = 0
    assert off(picture.to_pixels(), RAMP) <= 2
