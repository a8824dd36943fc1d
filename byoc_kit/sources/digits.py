"""A frame's number in the picture, for people: digits of blocks, five rows of three."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from byoc_kit.frames import Pixels

_BLOCKS = (
    "111 101 101 101 111",
    "010 110 010 010 111",
    "111 001 111 100 111",
    "111 001 111 001 111",
    "101 101 111 001 001",
    "111 100 111 001 111",
    "111 100 111 101 111",
    "111 001 010 010 010",
    "111 101 111 101 111",
    "111 101 111 001 111",
)
_ROWS = 5
_HEIGHT = 1 / 9  # of the picture


def draw_digits(pixels: Pixels, number: int, *, top: int) -> None:
    """Draw ``number`` white on black into uint8 ``[H, W, 3]`` pixels, on the left, from row ``top`` on."""
    block = max(1, round(pixels.shape[0] * _HEIGHT / _ROWS))
    for place, digit in enumerate(str(number)):
        picture = _digit(int(digit), block)
        height, width = picture.shape[:2]
        left = block + place * (width - block)  # two digits share the black between them
        target = pixels[top : top + height, left : left + width]
        target[:] = picture[: target.shape[0], : target.shape[1]]


@cache
def _digit(digit: int, block: int) -> npt.NDArray[np.uint8]:
    rows = [[int(dot) for dot in row] for row in _BLOCKS[digit].split()]
    framed = np.pad(np.array(rows, np.uint8) * 255, 1)
    return np.repeat(np.kron(framed, np.ones((block, block), np.uint8))[..., None], 3, axis=2)
