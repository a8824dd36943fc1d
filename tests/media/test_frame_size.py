from fractions import Fraction

import av
import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params, ParamsError
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.frame_size import Size
from byoc_kit.media.picture import DecodedPicture, DisplayInfo


class Own(Params):
    width: int = 3


def decoded(width=64, height=48):
    picture = av.VideoFrame(width, height, "yuv420p")
    picture.pts = 7
    frame = to_video_frame(picture)
    frame.log_timestamps["received"] = 1.5
    return frame


def test_width_and_height_are_taken_out_of_the_parameters():
    assert Size().updated({"width": 640, "gain": 2}, Params) == (Size(640, None), {"gain": 2})
    assert Size(640, 480).updated({"height": 360}, Params) == (Size(640, 360), {})
    assert Size(640, 480).updated({"width": None, "height": None}, Params) == (Size(), {})


def test_a_model_with_its_own_width_keeps_it():
    assert Size().updated({"width": 5, "height": 360}, Own) == (Size(None, 360), {"width": 5})


@pytest.mark.parametrize("value", [0, 15, 17, 8194, -2, "640", 640.0, True])
def test_a_size_that_does_not_fit_names_the_field(value):
    with pytest.raises(ParamsError, match=r"^height: must be an even number of 16 to 8192 pixels"):
        Size().updated({"height": value}, Params)


@pytest.mark.parametrize(
    ("size", "changes", "field"),
    [
        (Size(), {"width": 8192, "height": 8192}, "width"),
        (Size(width=8192), {"height": 1082}, "height"),
        (Size(height=4096), {"width": 2162}, "width"),
    ],
)
def test_more_pixels_than_memory_is_meant_for_are_refused_in_one_sentence(size, changes, field):
    with pytest.raises(ParamsError, match=rf"^{field}: makes \d+x\d+, more than the pixels of 4096x2160; choose a "):
        size.updated(changes, Params)
    assert Size().updated({"width": 4096, "height": 2160}, Params) == (Size(4096, 2160), {})


@pytest.mark.parametrize("size", [Size(width=8192), Size(height=8192)])
@pytest.mark.parametrize("source", [(64, 48), (48, 64)])
def test_a_side_that_follows_makes_no_more_pixels_and_keeps_the_shape(size, source):
    frame = size.fit(decoded(*source))
    assert frame.width * frame.height <= 4096 * 2160 * 1.001  # to even sides
    assert frame.width / frame.height == pytest.approx(source[0] / source[1], rel=0.01)


def test_pixels_that_are_not_square_change_their_shape_with_the_picture():
    wide = DecodedPicture(av.VideoFrame(720, 576, "yuv420p"), DisplayInfo(pixel_aspect=Fraction(16, 15)))  # 4:3
    aspects = [wide.resized(*size).display.pixel_aspect for size in ((640, 480), (720, 480), (720, 576))]
    assert aspects == [1, Fraction(8, 9), Fraction(16, 15)]


def test_square_pixels_stay_square():
    assert Size(512, 512).fit(decoded()).untouched.display.pixel_aspect == 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [(Size(), (64, 48)), (Size(32, 32), (32, 32)), (Size(width=96), (96, 72)), (Size(height=100), (134, 100))],
)
def test_a_frame_is_scaled_and_what_is_not_said_follows_its_shape(size, expected):
    frame = size.fit(decoded())
    assert (frame.width, frame.height) == expected
    assert (frame.pts, frame.log_timestamps) == (7, {"received": 1.5})
    assert frame.pixels.shape == (expected[1], expected[0], 3)


def test_a_frame_of_pixels_is_scaled_too():
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, 32:] = 200
    frame = VideoFrame.from_pixels(pixels, 7)
    fitted = Size(width=32).fit(frame)
    assert (fitted.pts, fitted.pixels.shape) == (7, (24, 32, 3))
    assert (fitted.pixels[:, :12].max(), fitted.pixels[:, 20:].min()) == (0, 200)
    assert frame.view().base is pixels
    assert Size(64, 48).fit(frame) is frame


@pytest.mark.parametrize("make", [decoded, lambda: VideoFrame.from_pixels(np.zeros((48, 64, 3), np.uint8))])
def test_what_is_noted_with_a_frame_stays_with_it(make):
    frame = make()
    frame.side_data.position = 12
    assert Size(32, 32).fit(frame).side_data.position == 12


def test_a_frame_that_fits_is_not_touched():
    frame = decoded()
    assert Size(64, 48).fit(frame).untouched.frame is frame.untouched.frame
    assert Size().fit(frame) is frame
    assert isinstance(frame, VideoFrame)
