"""Says what to write instead of a result that is not a picture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

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


def what_to_write(result: Any) -> str:
    """Return the end of a sentence: code that makes a picture of ``result``, which it calls ``image``."""
    if isinstance(result, torch.Tensor):
        return _with_channels(result, _TENSORS, _tensor_of_type)
    if isinstance(result, np.ndarray):
        return _with_channels(result, _ARRAYS, _array_of_type)
    return next(hint for is_it, hint in _OTHERS if is_it(result))


def _with_channels(image: Any, templates: Mapping[str, str], of_type: Callable[[str, Any], str | None]) -> str:
    """Say how to put the channels last, make them three, and convert the values to a type that frames take."""
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


_OTHERS: list[tuple[Callable[[Any], bool], str]] = [
    (lambda result: type(result).__module__.startswith("PIL."), 'write np.asarray(image.convert("RGB"))'),
    (lambda result: type(result).__module__.startswith("av."), 'write image.to_ndarray(format="rgb24")'),
    (inspect.isgenerator, "write `return` in place of `yield`"),
    (inspect.isasyncgen, "write `return` in place of `yield`"),
    (inspect.isawaitable, "write `await` before the call that makes it, in an `async def`"),
    (_is_picture_and_more, "return the picture alone"),
    (lambda result: isinstance(result, list | tuple), "write np.array(image, dtype=np.uint8)"),
    (lambda _: True, "return frame, or what you made of its pixels or its tensor"),
]
