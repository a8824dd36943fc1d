import math

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.core.pixels import FrameError, _on_its_device, from_unit_floats, tensor_to_pixels, to_unit_floats

pictures = arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3)))


def every_uint8():
    return np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


def test_pixels_to_tensor_and_back_is_exact_for_every_uint8_value():
    tensor = VideoFrame.from_pixels(every_uint8()).tensor
    assert tensor.shape == (1, 16, 16, 3)
    assert tensor.dtype == torch.float32
    assert float(tensor.min()) == 0.0
    assert float(tensor.max()) == 1.0
    assert np.array_equal(tensor_to_pixels(tensor), every_uint8())


@given(pictures)
def test_a_picture_survives_the_tensor_whatever_its_shape(pixels):
    tensor = VideoFrame.from_pixels(pixels).tensor
    assert np.array_equal(tensor_to_pixels(tensor), pixels)


@pytest.mark.parametrize(
    ("value", "pixel"),
    [
        (1.01, 255),
        (-0.02, 0),
        (1.7 / 255, 2),
        (1.4 / 255, 1),
        (float("nan"), 0),
        (float("inf"), 255),
        (float("-inf"), 0),
        (1e30, 255),
    ],
)
def test_values_are_rounded_and_clamped_and_never_wrap(value, pixel):
    assert tensor_to_pixels(torch.full((1, 2, 2, 3), value)).flatten().tolist() == [pixel] * 12


@given(st.floats(width=32))
def test_any_float_becomes_the_nearest_pixel(value):
    within = 0.0 if np.isnan(value) else min(max(value, 0.0), 1.0)
    pixels = tensor_to_pixels(torch.full((1, 1, 3), value))
    assert set(pixels.flatten().tolist()) == {round(float(np.float32(within) * np.float32(255)))}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_floating_type_counts_from_0_to_1(dtype):
    assert tensor_to_pixels(torch.ones(2, 2, 3, dtype=dtype)).min() == 255


def test_a_uint8_tensor_counts_from_0_to_255():
    assert np.array_equal(tensor_to_pixels(torch.from_numpy(every_uint8())), every_uint8())


def test_a_tensor_that_carries_gradients_or_is_not_contiguous_is_taken():
    tensor = torch.rand(3, 4, 6, requires_grad=True).permute(1, 2, 0)
    pixels = tensor_to_pixels(tensor)
    assert pixels.shape == (4, 6, 3)
    assert pixels.flags.c_contiguous


def random_pixels(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_floats_are_those_of_torch_for_every_value():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert torch.equal(to_unit_floats(pixels), torch.from_numpy(pixels).to(torch.float32).div_(255))


def test_floats_of_what_cannot_be_written_to_can_be():
    pixels = random_pixels(2, 2)
    pixels.flags.writeable = False
    to_unit_floats(pixels)[:] = 0


# One block, several and a part of one; what is out of range, halfway between two values, and no number.
@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 6), (200, 333)])
def test_bytes_are_those_of_torch_for_any_float(height, width):
    random = torch.Generator().manual_seed(1)
    tensor = torch.rand(height, width, 3, generator=random) * 1.4 - 0.2
    odd = [math.nan, math.inf, -math.inf, -0.0, 3e38, -3e38, 0.5 / 255, 1.5 / 255, 2.5 / 255]
    tensor.view(-1)[-3:] = torch.tensor(odd[:3])
    for start, value in enumerate(odd):
        tensor.view(-1)[start :: 2 * len(odd)] = value
    assert np.array_equal(from_unit_floats(tensor), _on_its_device(tensor))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_however_it_lies_in_memory_it_becomes_contiguous_pixels(order, dtype):
    pixels = random_pixels(5, 7)
    tensor = to_unit_floats(pixels).to(dtype).permute(order).contiguous()
    found = from_unit_floats(tensor.permute([order.index(axis) for axis in range(3)]))
    assert np.array_equal(found, pixels)
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_a_part_of_a_tensor_and_one_value_for_all_are_converted_too():
    pixels = random_pixels(6, 8)
    tensor = to_unit_floats(pixels)
    assert np.array_equal(from_unit_floats(tensor[1:5, ::2].flip(1)), pixels[1:5, ::2][:, ::-1])
    assert from_unit_floats(torch.ones(1).expand(4, 4, 3)).min() == 255


# What a newcomer returns by mistake: the message says what to write, and what it says to write is a picture.

RANDOM = np.random.default_rng(1)
RGB = RANDOM.random((5, 7, 3))
GRAY = RANDOM.random((5, 7))


def source():
    return VideoFrame.from_pixels(np.zeros((5, 7, 3), np.uint8))


ARRAYS = [
    (RGB, "(image * 255).astype(np.uint8)"),
    (RGB * 255, "image.clip(0, 255).astype(np.uint8)"),
    ((RGB * 255).astype(np.int32), "image.clip(0, 255).astype(np.uint8)"),
    (RGB > 0.5, "image.astype(np.uint8) * 255"),
    (RGB.transpose(2, 0, 1), "(image.transpose(1, 2, 0) * 255).astype(np.uint8)"),
    ((RGB * 255).astype(np.uint8)[None], "image[0]"),
    ((RGB * 255).astype(np.uint8).transpose(2, 0, 1), "image.transpose(1, 2, 0)"),
    ((GRAY * 255).astype(np.uint8), "np.stack([image] * 3, axis=-1)"),
    ((GRAY * 255).astype(np.uint8)[None], "np.stack([image[0]] * 3, axis=-1)"),
    ((GRAY * 255).astype(np.uint8)[..., None], "np.repeat(image, 3, axis=-1)"),
    (GRAY, "(np.stack([image] * 3, axis=-1) * 255).astype(np.uint8)"),
    (np.dstack([RGB, GRAY]), "(image[..., :3] * 255).astype(np.uint8)"),
    (np.zeros((5, 7, 4), np.uint8), "image[..., :3]"),
    (np.zeros((4, 5, 7), np.uint8), "image[:3].transpose(1, 2, 0)"),
]
TENSORS = [
    (torch.rand(3, 5, 7), "image.permute(1, 2, 0)"),
    (torch.rand(1, 3, 5, 7), "image[0].permute(1, 2, 0)"),
    (torch.rand(5, 7), "torch.stack([image] * 3, dim=-1)"),
    (torch.rand(1, 5, 7), "torch.stack([image[0]] * 3, dim=-1)"),
    (torch.rand(5, 7, 1), "image.expand(-1, -1, 3)"),
    (torch.rand(5, 7, 4), "image[..., :3]"),
    (torch.rand(1, 4, 5, 7), "image[0][:3].permute(1, 2, 0)"),
    (torch.rand(5, 7, 3) > 0.5, "image.float()"),
    (torch.zeros(5, 7, 3, dtype=torch.int64), "image.clamp(0, 255).to(torch.uint8)"),
    (torch.zeros(3, 5, 7, dtype=torch.int64), "image.permute(1, 2, 0).clamp(0, 255).to(torch.uint8)"),
]
OTHERS = [
    (Image.new("L", (7, 5)), 'np.asarray(image.convert("RGB"))'),
    (av.VideoFrame(8, 8, "yuv420p"), 'image.to_ndarray(format="rgb24")'),
    ([[[0, 0, 0]]], "np.array(image, dtype=np.uint8)"),
]


@pytest.mark.parametrize(("image", "written"), [*ARRAYS, *TENSORS, *OTHERS])
def test_the_message_says_what_to_write_and_that_is_a_picture(image, written):
    with pytest.raises(FrameError) as raised:
        as_frame(image, source())
    said = str(raised.value)
    assert "; write " in said
    assert said.partition("; write ")[2].partition(", or ")[0] == written
    done = eval(written, {"np": np, "torch": torch, "image": image})  # noqa: S307  # what the message says
    made = as_frame(done, source())
    assert made.pixels.shape[2] == 3


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ((number for number in ()), "write `return` in place of `yield`"),
        (True, "return frame, or what you made of its pixels"),
        ("done", "return frame, or what you made of its pixels"),
        ((source(), 3), "return the picture alone"),
        ([np.zeros((5, 7, 3), np.uint8)], "return the picture alone"),
        (np.zeros((2, 5, 7, 3), np.uint8), "return one picture, of shape"),
        (torch.zeros(0, 7, 3), "it has no pixels"),
        (np.full((5, 7, 3), 1j), "return one picture, of shape"),
    ],
)
def test_other_mistakes_are_said_too(result, hint):
    with pytest.raises(FrameError, match=hint):
        as_frame(result, source())


def test_what_waits_for_an_await_is_reported():
    class Later:
        def __await__(self):
            yield

    with pytest.raises(FrameError, match="write `await` before the call"):
        as_frame(Later(), source())
