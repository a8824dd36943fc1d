"""A frame's number as a row of black and white blocks, which survives scaling and JPEG.

``preview_reader.js`` reads it in the page.
"""

from __future__ import annotations

import numpy as np

from byoc_kit.core.pixels import Pixels

BITS = 24
BLOCKS = BITS + 8
# Of the picture's height; what is read is its middle.
STRIP = 1 / 18


def stamp(pixels: Pixels, number: int) -> None:
    """Write ``number``, 0 to 2**24 - 1, into the top rows of uint8 ``[H, W, 3]`` pixels."""
    height, width = pixels.shape[:2]
    bits = np.array([int(bit) for bit in f"{coded(number):0{BLOCKS}b}"], np.uint8)
    column = np.arange(width) * BLOCKS // width
    pixels[: round(height * STRIP)] = (255 * bits[column])[None, :, None]


def coded(number: int) -> int:
    """Return the number with its check sum behind it, so that a torn or absent row is none."""
    check = 0xA5 ^ (number & 0xFF) ^ (number >> 8 & 0xFF) ^ (number >> 16 & 0xFF)
    return number << 8 | check
