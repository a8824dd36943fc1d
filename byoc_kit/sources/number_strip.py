"""Writes a frame's number into the picture, for programs: a strip of black and white cells along the top.

From the left: a white and a black cell as references, 16 cells for the number, highest bit first, and 4 cells for a
check. All sizes are fractions of the picture, so that a scaled picture can also be read.
"""

from __future__ import annotations

from byoc_kit.core.frames import Pixels
from byoc_kit.errors import ByocKitError

LARGEST_NUMBER = (1 << 16) - 1

_GUARDS = (1, 0)
_NUMBER_BITS, _CHECK_BITS = 16, 4
_CELLS = len(_GUARDS) + _NUMBER_BITS + _CHECK_BITS
_STRIP_HEIGHT = 1 / 18
# Only the middle of each cell is read, since codecs and scalers blur the edges.
_MARGIN = 0.25
_LEAST_CONTRAST = 24


class NumberError(ByocKitError):
    """The picture has no readable strip."""


def strip_height(height: int) -> int:
    """Return how many rows the strip takes in a picture of ``height`` rows."""
    return max(4, round(height * _STRIP_HEIGHT))


def write_number(pixels: Pixels, number: int) -> None:
    """Draw ``number`` (0..65535) into uint8 ``[H, W, 3]`` pixels, at least 88 wide."""
    height, width = strip_height(pixels.shape[0]), pixels.shape[1]
    for cell, bit in enumerate(_bits(number)):
        pixels[:height, cell * width // _CELLS : (cell + 1) * width // _CELLS] = 255 * bit


def read_number(pixels: Pixels) -> int:
    """Read the number that ``write_number`` drew, also after JPEG, H.264, scaling to a width of 320, tint or inversion.

    Raises ``NumberError`` if there is no number, or its check fails.
    """
    height, width = pixels.shape[0] * _STRIP_HEIGHT, pixels.shape[1] / _CELLS
    rows = slice(round(height * _MARGIN), max(round(height * (1 - _MARGIN)), round(height * _MARGIN) + 1))
    levels = []
    for cell in range(_CELLS):
        left = round((cell + _MARGIN) * width)
        right = max(round((cell + 1 - _MARGIN) * width), left + 1)
        levels.append(float(pixels[rows, left:right].mean()))
    white, black = levels[:2]
    if abs(white - black) < _LEAST_CONTRAST:
        msg = "the picture has no number in it; only synthetic patterns have one"
        raise NumberError(msg)
    read = [int((level - black) / (white - black) > 0.5) for level in levels]
    number = int("".join(map(str, read[len(_GUARDS) : len(_GUARDS) + _NUMBER_BITS])), 2)
    if read != _bits(number):
        msg = "the number in the picture cannot be read: its cells do not fit their check"
        raise NumberError(msg)
    return number


def _bits(number: int) -> list[int]:
    if not 0 <= number <= LARGEST_NUMBER:
        msg = f"a frame's number must be 0 to {LARGEST_NUMBER}, not {number}"
        raise NumberError(msg)
    nibbles = [number >> shift & 15 for shift in (0, 4, 8, 12)]
    # Weighted, since a plain sum does not notice two swapped cells; never 0, since a black strip would have 0.
    check = 15 - sum(weight * nibble for weight, nibble in zip((1, 3, 5, 7), nibbles, strict=True)) % 16
    text = f"{number:0{_NUMBER_BITS}b}{check:0{_CHECK_BITS}b}"
    return [*_GUARDS, *map(int, text)]
