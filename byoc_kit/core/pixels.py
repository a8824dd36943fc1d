"""Pixels and tensors: checks of both, conversions between them, and advice when something is not a picture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from byoc_kit.errors import ByocKitError

Pixels = npt.NDArray[np.uint8]
"""uint8 ``[H, W, 3]``, RGB."""

_BLOCK = 1 << 16  # floats: a block of this size stays in a core's cache during all five operations
_OF_255 = 10  # values above this are of 0..255: even a gain of 4 gives smaller ones

_ONE_PICTURE = "return one picture, of shape [H, W, 3]"
_NO_PIXELS = "it has no pixels: return frame, or None to drop it"
_ARRAYS = {
    "HWC": "{0}",
    "CHW": "{0}.transpose(1, 2, 0)",
    "RGBA": "{0}[..., :3]",
    "RGBA planes": "{0}[:3].transpose(1, 2, 0)",
    "gray": "np.stack([{0}] * 3, axis=-1)",
    "gray channel": "np.repeat({0}, 3, axis=-1)",
}
_TENSORS = {
    "HWC": "{0}",
    "CHW": "{0}.permute(1, 2, 0)",
    "RGBA": "{0}[..., :3]",
    "RGBA planes": "{0}[:3].permute(1, 2, 0)",
    "gray": "torch.stack([{0}] * 3, dim=-1)",
    "gray channel": "{0}.expand(-1, -1, 3)",
}


class FrameError(ByocKitError):
    """``process_frame`` returned something that is not a picture."""


def check_tensor(tensor: Any) -> torch.Tensor:
    """Return ``tensor``, or raise ``FrameError`` if it is not one. ``tensor_to_pixels`` checks its shape later."""
    if not isinstance(tensor, torch.Tensor):
        hint = "; give pixels=, or torch.from_numpy(...)" if isinstance(tensor, np.ndarray) else ""
        msg = f"tensor= takes a torch tensor, not {type(tensor).__name__}{hint}"
        raise FrameError(msg)
    return tensor


def check_pixels(pixels: Any) -> Pixels:
    """Return ``pixels`` as contiguous uint8 ``[H, W, 3]``, or raise ``FrameError``."""
    if isinstance(pixels, torch.Tensor):
        msg = "pixels= takes a uint8 array, not a torch tensor; give tensor=, or tensor.cpu().numpy()"
        raise FrameError(msg)
    array = np.asarray(pixels)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        shape = "x".join(map(str, array.shape))
        msg = f"pixels must be uint8 [H, W, 3], not {array.dtype} [{shape}]; {what_to_write(array)}"
        raise FrameError(msg)
    return np.ascontiguousarray(array)


def tensor_to_pixels(tensor: torch.Tensor) -> Pixels:
    """Turn ``[1, H, W, 3]`` or ``[H, W, 3]`` into uint8 pixels: rounded to the nearest, clamped, NaN as black.

    The values of a floating tensor are 0..1, those of a uint8 tensor 0..255. Stock pytrickle wraps values around
    instead of clamping them (1.01 becomes 1). Raises ``FrameError`` for any other shape or type.
    """
    picture = tensor.squeeze(0) if tensor.dim() == 4 and tensor.shape[0] == 1 else tensor
    if picture.dim() != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        msg = f"a frame's tensor must be [1, H, W, 3] or [H, W, 3], not {list(tensor.shape)}; {what_to_write(tensor)}"
        raise FrameError(msg)
    picture = picture.detach()
    if picture.is_floating_point():
        return from_unit_floats(picture)
    if picture.dtype != torch.uint8:
        hint = what_to_write(tensor)
        msg = f"a frame's tensor must be floating (0..1) or uint8 (0..255), not {picture.dtype}; {hint}"
        raise FrameError(msg)
    pixels: Pixels = picture.cpu().contiguous().numpy()
    return pixels


# The two conversions below give the same bits as torch's own operations, but run on the calling thread. torch shares
# each operation between all cores, and its threads then spin while they wait for the next one: at 720p the five
# operations back to bytes took 10 ms of CPU instead of 3. Those threads are left to the model.


def to_unit_floats(pixels: Pixels) -> torch.Tensor:
    """Return new float32 of 0..1."""
    tensor = torch.empty(pixels.shape, dtype=torch.float32)
    floats = tensor.numpy()
    np.copyto(floats, pixels)
    np.divide(floats, 255, out=floats)
    return tensor


def from_unit_floats(tensor: torch.Tensor) -> Pixels:
    """Return new uint8 of ``[H, W, 3]`` floats of 0..1: rounded to the nearest, clamped, NaN as black."""
    if tensor.device.type != "cpu":
        return _on_its_device(tensor)
    by_stride = sorted(range(3), key=tensor.stride, reverse=True)  # a model's picture is often stored plane by plane
    in_memory = tensor.to(torch.float32).permute(by_stride)
    converted = _in_blocks(in_memory.reshape(-1).numpy()).reshape(in_memory.shape)
    return _contiguous(converted.transpose([by_stride.index(axis) for axis in range(3)]))


def _in_blocks(floats: npt.NDArray[np.float32]) -> Pixels:
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


def _contiguous(picture: Pixels) -> Pixels:
    """Return a contiguous ``[H, W, 3]``. For planes this takes a quarter of the time of ``ascontiguousarray``."""
    if picture.flags.c_contiguous:
        return picture
    pixels = np.empty(picture.shape, np.uint8)
    for channel in range(3):
        pixels[..., channel] = picture[..., channel]
    return pixels


def _on_its_device(tensor: torch.Tensor) -> Pixels:
    """Convert before the copy to the CPU, which then has a quarter of the bytes."""
    scaled = tensor.to(torch.float32).mul(255).round_().nan_to_num_(0).clamp_(0, 255)
    pixels: Pixels = scaled.to(torch.uint8).cpu().contiguous().numpy()
    return pixels


def said_of_scale(largest: float) -> str:
    """Return a warning if a floating tensor seems to have values of 0..255, which would show as white; else ``""``."""
    if not _OF_255 < largest < float("inf"):
        return ""
    return f"the tensor goes up to {largest:.0f}, and frames are 0 to 1: divide it by 255"


def what_to_write(result: Any) -> str:
    """Return advice for the end of a sentence: code that turns ``result``, called ``image``, into a picture."""
    if isinstance(result, torch.Tensor):
        return _with_channels(result, _TENSORS, _tensor_of_type)
    if isinstance(result, np.ndarray):
        return _with_channels(result, _ARRAYS, _array_of_type)
    kind, write_return = type(result).__module__, "write `return` in place of `yield`"
    hints: list[tuple[bool, str]] = [
        (kind.startswith("PIL."), 'write np.asarray(image.convert("RGB"))'),
        (kind.startswith("av."), 'write image.to_ndarray(format="rgb24")'),
        (inspect.isgenerator(result) or inspect.isasyncgen(result), write_return),
        (inspect.isawaitable(result), "write `await` before the call that makes it, in an `async def`"),
        (_is_picture_and_more(result), "return the picture alone"),
        (isinstance(result, list | tuple), "write np.array(image, dtype=np.uint8)"),
    ]
    return next((hint for fits, hint in hints if fits), "return frame, or what you made of its pixels or its tensor")


def _with_channels(image: Any, templates: Mapping[str, str], of_type: Callable[[str, Any], str | None]) -> str:
    """Return code that puts the channels last, makes them three, and converts the values to a type that frames take."""
    shape = tuple(image.shape)
    if 0 in shape:
        return _NO_PIXELS
    is_batch = len(shape) == 4 and shape[0] == 1
    is_plane = len(shape) == 3 and shape[0] == 1 and shape[-1] not in (1, 3, 4)
    layout = _layout(shape[1:] if is_batch or is_plane else shape)
    if layout is None:
        return _ONE_PICTURE
    written = of_type(templates[layout].format("image[0]" if is_batch or is_plane else "image"), image)
    return _ONE_PICTURE if written is None else f"write {written}"


def _layout(shape: tuple[int, ...]) -> str | None:
    if len(shape) == 2:
        return "gray"
    if len(shape) != 3:
        return None
    by_last = {3: "HWC", 4: "RGBA", 1: "gray channel"}
    return by_last.get(shape[2]) or {3: "CHW", 4: "RGBA planes"}.get(shape[0])


def _array_of_type(written: str, array: np.ndarray[Any, Any]) -> str | None:
    if array.dtype == np.uint8:
        return written
    if array.dtype == np.bool_:
        return f"{written}.astype(np.uint8) * 255"
    if not np.issubdtype(array.dtype, np.floating):
        return f"{written}.clip(0, 255).astype(np.uint8)" if np.issubdtype(array.dtype, np.integer) else None
    if np.nanmax(array, initial=0) > 1:
        return f"{written}.clip(0, 255).astype(np.uint8)"
    return f"({written} * 255).astype(np.uint8), or return a tensor, whose values count 0..1"


def _tensor_of_type(written: str, tensor: torch.Tensor) -> str | None:
    if tensor.is_floating_point() or tensor.dtype == torch.uint8:
        return written
    if tensor.dtype == torch.bool:
        return f"{written}.float()"
    return None if tensor.is_complex() else f"{written}.clamp(0, 255).to(torch.uint8)"


def _is_picture_and_more(result: Any) -> bool:
    first = result[0] if isinstance(result, list | tuple) and result else None
    return hasattr(first, "pixels") or len(getattr(first, "shape", ())) > 1
