"""Pixels as a float tensor and back, to the same bits as torch's own operations give, on the calling thread.

torch shares each operation between all cores. Its threads then spin while they wait for the next one: at 720p the
way back, five operations long, took 10 ms of CPU in place of 3. They are left to the model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

_BLOCK = 1 << 16  # floats: what a block needs stays in a core's cache through all five operations


def to_unit_floats(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return new float32 of 0..1."""
    tensor = torch.empty(pixels.shape, dtype=torch.float32)
    floats = tensor.numpy()
    np.copyto(floats, pixels)
    np.divide(floats, 255, out=floats)
    return tensor


def from_unit_floats(tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Return new uint8 of ``[H, W, 3]`` floats of 0..1: rounded to the nearest, clamped, NaN as black."""
    if tensor.device.type != "cpu":
        return _on_its_device(tensor)
    by_stride = sorted(range(3), key=tensor.stride, reverse=True)  # a model's picture often lies plane by plane
    in_memory = tensor.to(torch.float32).permute(by_stride)
    converted = _in_blocks(in_memory.reshape(-1).numpy()).reshape(in_memory.shape)
    return _contiguous(converted.transpose([by_stride.index(axis) for axis in range(3)]))


def _in_blocks(floats: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    converted = np.empty(floats.size, np.uint8)
    scratch = np.empty(min(_BLOCK, floats.size), np.float32)
    for start in range(0, floats.size, _BLOCK):
        block = floats[start : start + _BLOCK]
        scaled = scratch[: block.size]
        np.clip(block, 0, 1, out=scaled)
        if np.isnan(scaled.min()):
            np.nan_to_num(scaled, copy=False)
        np.multiply(scaled, 255, out=scaled)
        np.rint(scaled, out=scaled)
        np.copyto(converted[start : start + _BLOCK], scaled, casting="unsafe")
    return converted


def _contiguous(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return it as ``[H, W, 3]`` lie in memory; of planes in a quarter of ``ascontiguousarray``'s time."""
    if picture.flags.c_contiguous:
        return picture
    pixels = np.empty(picture.shape, np.uint8)
    for channel in range(3):
        pixels[..., channel] = picture[..., channel]
    return pixels


def _on_its_device(tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Convert before the copy to the CPU, which is then of a quarter of the bytes."""
    scaled = tensor.to(torch.float32).mul(255).round_().nan_to_num_(0).clamp_(0, 255)
    pixels: npt.NDArray[np.uint8] = scaled.to(torch.uint8).cpu().contiguous().numpy()
    return pixels
