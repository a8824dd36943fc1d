import math

import numpy as np
import pytest
import torch

from byoc_kit.core.tensors import _on_its_device, from_unit_floats, to_unit_floats


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
