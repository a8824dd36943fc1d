from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from pytrickle.frames import VideoFrame as StockVideoFrame

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.core.pixels import FrameError


def black(height=4, width=6):
    return np.zeros((height, width, 3), np.uint8)


@pytest.fixture
def source():
    return VideoFrame.from_pixels(black(), pts=1234, time_base=Fraction(1, 12_800))


def test_the_tensor_is_made_on_first_use_and_kept(source):
    assert source._tensor is None
    assert (source.width, source.height) == (6, 4)
    assert source._tensor is None
    assert source.tensor is source.tensor


def test_a_new_tensor_replaces_the_pixels(source):
    source.tensor = torch.ones(1, 4, 6, 3)
    assert source.pixels.min() == 255


def test_pixels_that_cannot_be_written_make_a_tensor_without_a_warning():
    pixels = black()
    pixels.setflags(write=False)
    assert VideoFrame.from_pixels(pixels).tensor.max() == 0


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (torch.zeros(3, 4, 6), r"must be \[1, H, W, 3\] or \[H, W, 3\], not \[3, 4, 6\]"),
        (torch.zeros(2, 4, 6, 3), r"not \[2, 4, 6, 3\]"),
        (torch.zeros(4, 6), r"not \[4, 6\]"),
        (torch.zeros(0, 6, 3), r"not \[0, 6, 3\]"),
        (torch.zeros(4, 6, 3, dtype=torch.int64), r"must be floating \(0..1\) or uint8 \(0..255\), not torch.int64"),
        (torch.zeros(4, 6, 3, dtype=torch.bool), "not torch.bool"),
        (np.zeros((4, 6, 3)), r"pixels must be uint8 \[H, W, 3\], not float64 \[4x6x3\]"),
        (np.zeros((4, 6, 4), np.uint8), r"not uint8 \[4x6x4\]"),
        (np.zeros((4, 6), np.uint8), r"not uint8 \[4x6\]"),
        (np.zeros((0, 6, 3), np.uint8), r"not uint8 \[0x6x3\]"),
        (VideoFrame(torch.zeros(4, 6), 0, Fraction(1)), r"not \[4, 6\]"),
        (StockVideoFrame(torch.zeros(4, 6), 0, Fraction(1)), r"not \[4, 6\]"),
        ("picture", "must return a VideoFrame, a tensor, a uint8 array or None, not str"),
        ([[[0, 0, 0]]], "not list"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(source, picture, text):
    with pytest.raises(FrameError, match=text):
        as_frame(picture, source)


def test_a_frame_needs_a_picture():
    with pytest.raises(FrameError, match="needs a tensor or a picture"):
        VideoFrame(None, 0, Fraction(1))


def test_replace_keeps_the_time_and_what_travels_with_the_frame(source):
    source.log_timestamps["in"] = 1.5
    frame = source.replace(pixels=black(8, 8))
    assert (frame.pts, frame.time_base, frame.time_s) == (1234, Fraction(1, 12_800), 1234 / 12_800)
    assert (frame.width, frame.height) == (8, 8)
    assert frame.log_timestamps == {"in": 1.5}
    assert frame.log_timestamps is not source.log_timestamps
    assert frame.side_data is source.side_data


def test_replace_tensor_makes_a_frame_of_this_kit(source):
    frame = source.replace_tensor(torch.ones(1, 2, 2, 3))
    assert isinstance(frame, VideoFrame)
    assert frame.pts == source.pts
    assert frame.pixels.min() == 255


def test_none_drops_the_frame(source):
    assert as_frame(None, source) is None


class Decoded:
    """A decoder's picture, that counts how often it is converted."""

    def __init__(self, width=6, height=4):
        self.width, self.height = width, height
        self.conversions = 0

    def to_pixels(self):
        self.conversions += 1
        return np.full((self.height, self.width, 3), 7, np.uint8)


def test_a_decoded_frame_is_converted_once_and_only_when_somebody_asks():
    frame = VideoFrame(None, 1234, Fraction(1, 12_800), origin=(origin := Decoded()))
    assert (frame.width, frame.height) == (6, 4)
    passed = as_frame(frame, frame)
    assert passed.untouched is origin
    assert origin.conversions == 0
    assert frame.tensor[0, 0, 0].tolist() == pytest.approx([7 / 255] * 3)
    assert frame.pixels.max() == 7
    assert origin.conversions == 1
    assert frame.untouched is None
    assert frame.original().untouched is origin


def read_pixels(frame):
    return frame.pixels


def read_tensor(frame):
    return frame.tensor[0]


@pytest.mark.parametrize("read", [read_pixels, read_tensor])
def test_a_frame_that_was_only_read_goes_out_as_it_came(read):
    frame = VideoFrame(None, 1234, Fraction(1, 12_800), origin=(origin := Decoded()))
    read(frame)
    assert as_frame(frame, frame).untouched is origin
    assert frame.untouched is None


@pytest.mark.parametrize("read", [read_pixels, read_tensor])
@pytest.mark.parametrize("corner", [0, -1])
@pytest.mark.parametrize("size", [(6, 4), (5, 5)], ids=["whole words", "a byte at a time"])
def test_one_value_that_was_written_goes_out(read, corner, size):
    frame = VideoFrame(None, 1234, Fraction(1, 12_800), origin=Decoded(*size))
    read(frame)[corner, corner, corner] = 1
    assert as_frame(frame, frame).pixels[corner, corner].max() > as_frame(frame, frame).pixels[corner, corner].min()


def test_what_a_frame_was_given_goes_out_without_a_look_at_its_origin(source):
    frame = VideoFrame(None, 1234, Fraction(1, 12_800), origin=(origin := Decoded()))
    assert as_frame(frame.replace(pixels=black() + 7), frame).untouched is None
    frame.tensor = torch.full((1, 4, 6, 3), 7 / 255)
    assert as_frame(frame, frame).untouched is None
    assert origin.conversions == 0


def test_a_frame_kept_and_only_read_goes_out_with_its_own_picture(source):
    kept = VideoFrame(None, 1, Fraction(1, 12_800), origin=Decoded())
    assert kept.pixels.max() == 7
    assert as_frame(kept, source).pixels.max() == 7


def test_a_frame_kept_from_before_goes_out_with_the_time_of_the_present_one(source):
    kept = VideoFrame(None, 1, Fraction(1, 12_800), origin=(origin := Decoded()))
    later = as_frame(kept, source)
    assert (later.pts, later.untouched) == (1234, origin)


@pytest.mark.parametrize("buffer", [np.zeros((4, 6, 3), np.uint8), torch.zeros(4, 6, 3, dtype=torch.uint8)])
def test_a_buffer_that_is_returned_again_and_again_is_copied(source, buffer):
    first = as_frame(buffer, source)
    buffer[:] = 9
    assert first.pixels.max() == 0


def test_replace_needs_a_picture(source):
    with pytest.raises(FrameError, match="needs a tensor or pixels"):
        source.replace()


@pytest.mark.parametrize("tensor", [torch.full((4, 6, 3), 1.5), torch.full((4, 6, 3), 255, dtype=torch.uint8)])
def test_a_result_has_the_tensor_that_stock_pytrickle_can_encode(source, tensor):
    result = as_frame(tensor, source).tensor
    assert (result.shape, result.dtype) == ((1, 4, 6, 3), torch.float32)
    assert result.unique().tolist() == [1.0]


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(VideoFrame.from_pixels(black() + 255), id="a new frame"),
        pytest.param(VideoFrame(torch.ones(1, 4, 6, 3), 99, Fraction(1)), id="a frame of another time"),
        pytest.param(StockVideoFrame(torch.ones(1, 4, 6, 3), 99, Fraction(1)), id="a frame of stock pytrickle"),
        pytest.param(torch.ones(1, 4, 6, 3), id="a tensor"),
        pytest.param(torch.ones(4, 6, 3), id="a tensor without batch"),
        pytest.param(black() + 255, id="an array"),
        pytest.param((black(6, 4) + 255).transpose(1, 0, 2), id="an array seen sideways"),
    ],
)
def test_every_kind_of_result_becomes_a_frame_with_the_time_of_its_source(source, result):
    frame = as_frame(result, source)
    assert isinstance(frame, VideoFrame)
    assert (frame.pts, frame.time_base) == (source.pts, source.time_base)
    assert frame.pixels.shape == (4, 6, 3)
    assert frame.pixels.min() == 255


def test_what_was_asked_for_last_is_what_goes_out(source):
    source.tensor.fill_(1.0)
    assert as_frame(source, source).pixels.min() == 255
    source.pixels[0] = 7
    assert as_frame(source, source).pixels[:2, 0, 0].tolist() == [7, 255]
    source.tensor.mul_(0)
    assert as_frame(source, source).pixels.max() == 0
    assert source.original().pixels.max() == 0


def test_the_original_stays_as_it_was_made_whatever_is_put_into_its_tensor(source):
    source.tensor.fill_(1.0)
    assert source.original().pixels.max() == 0


def test_the_original_stays_as_it_was_made_whatever_is_put_into_its_pixels(source):
    source.pixels[:] = 9
    assert source.original().pixels.max() == 0
    source.original().pixels[:] = 9
    assert source.original().view().max() == 0


def test_the_original_of_a_frame_of_a_tensor_stays_too():
    frame = VideoFrame(torch.zeros(1, 4, 6, 3), 0, Fraction(1))
    frame.tensor.fill_(1)
    assert frame.pixels.min() == 255
    assert frame.original().pixels.max() == 0


def test_looking_at_a_frame_changes_and_copies_nothing(source):
    assert source.view().max() == 0
    assert source.untouched is source.origin
    assert source.view() is source.view()
    with pytest.raises(ValueError, match="read-only"):
        source.view()[:] = 9
    source.pixels[:] = 9
    assert source.view() is source.pixels
    source.tensor.fill_(1)
    assert source.view().min() == 255
    assert source.tensor is source.tensor


def test_a_source_made_of_pixels_that_nobody_looked_into_goes_out_uncopied(source):
    assert as_frame(source, source).view() is source.view()


def test_a_frame_made_of_a_buffer_is_copied_when_it_is_returned(source):
    buffer = black()
    first = as_frame(VideoFrame.from_pixels(buffer), source)
    buffer[:] = 9
    assert first.pixels.max() == 0


def test_a_frame_is_one_of_stock_pytrickle_and_says_its_size_and_time(source):
    assert isinstance(source, StockVideoFrame)
    assert repr(source) == "VideoFrame(6x4, pts=1234, time_base=1/12800)"


def test_a_frame_shows_its_picture_in_a_notebook_and_stays_as_it_is():
    frame = VideoFrame.from_pixels(np.full((720, 1280, 3), 200, np.uint8))
    with Image.open(BytesIO(frame._repr_png_())) as image:
        assert image.size == (640, 360)
        assert image.getpixel((0, 0)) == (200, 200, 200)
    assert frame.untouched is frame.origin


@pytest.mark.parametrize(
    "give",
    [
        lambda frame: frame.replace(tensor=black()),
        lambda frame: frame.replace_tensor(black() / 255),
        lambda frame: setattr(frame, "tensor", black()),
        lambda frame: VideoFrame(black(), frame.pts, frame.time_base),
    ],
)
def test_an_array_is_no_tensor(source, give):
    said = r"^tensor= takes a torch tensor, not ndarray; give pixels=, or torch\.from_numpy\(\.\.\.\)$"
    with pytest.raises(FrameError, match=said):
        give(source)


def test_what_is_neither_a_tensor_nor_an_array_is_named(source):
    with pytest.raises(FrameError, match=r"^tensor= takes a torch tensor, not Image$"):
        source.replace(tensor=Image.fromarray(black()))


@pytest.mark.parametrize("tensor", [torch.zeros(4, 6, 3), torch.zeros(4, 6, 3, dtype=torch.uint8)])
@pytest.mark.parametrize(
    "give", [lambda frame, made: frame.replace(pixels=made), lambda _, made: VideoFrame.from_pixels(made)]
)
def test_a_tensor_is_no_pixels(source, give, tensor):
    said = r"^pixels= takes a uint8 array, not a torch tensor; give tensor=, or tensor\.cpu\(\)\.numpy\(\)$"
    with pytest.raises(FrameError, match=said):
        give(source, tensor)
