"""Draws frames: patterns that contain the frame's number, in digits for people and in a strip for programs.

The strip is a row of black and white cells along the top. From the left: a white and a black cell as references, 16
cells for the number, highest bit first, and 4 cells for a check. All sizes are fractions of the picture, so that a
scaled picture can also be read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from fractions import Fraction
from functools import cache

import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.errors import ByocKitError
from byoc_kit.media.clip import check_number
from byoc_kit.media.demux import MediaError

LARGEST_NUMBER = (1 << 16) - 1

Draw = Callable[[int], Pixels]
"""A function that returns new uint8 ``[H, W, 3]`` pixels for a frame's number."""

# SMPTE EG 1-1990 in RGB: seven bars at 75 %, the castellations below them, and the row of black and white.
_TOP = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)]
_MIDDLE = [(0, 0, 191), (19, 19, 19), (191, 0, 191), (19, 19, 19), (0, 191, 191), (19, 19, 19), (191, 191, 191)]
_BOTTOM = [(0, 33, 76), (255, 255, 255), (50, 0, 106), (19, 19, 19), (9, 9, 9), (29, 29, 29), (19, 19, 19)]

_NOISE_OFFSETS = 1 << 16

_FPS = 30

_DIGITS_HEIGHT = 1 / 9  # of the picture
_WHITE = (255, 255, 255)

_GUARDS = (1, 0)
_NUMBER_BITS, _CHECK_BITS = 16, 4
_CELLS = len(_GUARDS) + _NUMBER_BITS + _CHECK_BITS
_STRIP_HEIGHT = 1 / 18
# Only the middle of each cell is read, since codecs and scalers blur the edges.
_MARGIN = 0.25
_LEAST_CONTRAST = 24


class NumberError(ByocKitError):
    """A picture without a readable strip."""


def strip_height(height: int) -> int:
    """Return how many rows of a picture of ``height`` rows the strip takes."""
    return max(4, round(height * _STRIP_HEIGHT))


def write_number(pixels: Pixels, number: int) -> None:
    """Draw ``number`` (0..65535) into uint8 ``[H, W, 3]`` pixels, at least 88 wide."""
    height, width = strip_height(pixels.shape[0]), pixels.shape[1]
    for cell, bit in enumerate(_bits(number)):
        pixels[:height, cell * width // _CELLS : (cell + 1) * width // _CELLS] = 255 * bit


def read_number(pixels: Pixels) -> int:
    """Read the number that ``write_number`` drew, also after JPEG, H.264, scaling to a width of 320, tint or inversion.

    Raises ``NumberError`` if there is no number, or if its check fails.
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
        msg = "the number in the picture cannot be read: its cells do not match their check"
        raise NumberError(msg)
    return number


def _bits(number: int) -> list[int]:
    if not 0 <= number <= LARGEST_NUMBER:
        msg = f"a frame's number must be 0 to {LARGEST_NUMBER}, not {number}"
        raise NumberError(msg)
    nibbles = [number >> shift & 15 for shift in (0, 4, 8, 12)]
    # Weighted, since a plain sum would not notice two swapped nibbles; never 0, which a black strip would have.
    check = 15 - sum(weight * nibble for weight, nibble in zip((1, 3, 5, 7), nibbles, strict=True)) % 16
    text = f"{number:0{_NUMBER_BITS}b}{check:0{_CHECK_BITS}b}"
    return [*_GUARDS, *map(int, text)]


def draw_digits(pixels: Pixels, number: int, *, top: int) -> None:
    """Draw ``number`` white on black into uint8 ``[H, W, 3]`` pixels, on the left, from row ``top`` on."""
    import cv2

    text, font = str(number), cv2.FONT_HERSHEY_SIMPLEX
    height = round(pixels.shape[0] * _DIGITS_HEIGHT)
    margin, thickness = height // 4, max(1, height // 8)
    scale = cv2.getFontScaleFromHeight(font, height, thickness)
    width, _ = cv2.getTextSize(text, font, scale, thickness)[0]
    pixels[top : top + height + 2 * margin, margin : width + 3 * margin] = 0
    cv2.putText(pixels, text, (2 * margin, top + margin + height), font, scale, _WHITE, thickness, cv2.LINE_AA)


def bars(width: int, height: int) -> Draw:
    """Draw colour bars, with a white line that sweeps over them."""
    still = np.empty((height, width, 3), np.uint8)
    columns = np.arange(width) * len(_TOP) // width
    for colours, begin, end in ((_TOP, 0, 0.67), (_MIDDLE, 0.67, 0.75), (_BOTTOM, 0.75, 1)):
        still[round(begin * height) : round(end * height)] = np.array(colours, np.uint8)[columns]
    thickness, step = max(1, width // 320), max(1, width // 160)

    def draw(number: int) -> Pixels:
        pixels = still.copy()
        at = number * step % width
        pixels[:, at : at + thickness] = 255
        return pixels

    return draw


def ball(width: int, height: int) -> Draw:
    """Bounce a ball over a gradient."""
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    shades = [40 + 80 * columns + 0 * rows, 40 + 100 * rows + 0 * columns, 160 - 60 * columns * rows]
    still = np.stack(shades, axis=2).astype(np.uint8)
    size = max(4, height // 5)
    middle = (size - 1) / 2
    distances = np.hypot(*(np.mgrid[:size, :size] - middle))
    is_ball = distances <= middle
    colours = np.stack([255 - 90 * distances / size, 210 - 160 * distances / size, 0 * distances], axis=2)
    colours = colours.astype(np.uint8)
    across, down = max(1, width // 120), max(1, height // 90)

    def draw(number: int) -> Pixels:
        pixels = still.copy()
        left, top = (
            _bounce(width // 3 + number * across, width - size),
            _bounce(height // 3 + number * down, height - size),
        )
        target = pixels[top : top + size, left : left + size]
        target[is_ball] = colours[is_ball]
        return pixels

    return draw


def ramp(width: int, height: int) -> Draw:
    """Draw ramps of grey, red, green and blue, from black to full, that move sideways."""
    levels = np.abs(np.arange(2 * width) % width - width / 2) * (2 * 255 / width)
    wide = np.zeros((height, 2 * width, 3), np.uint8)
    for band, channels in enumerate(([0, 1, 2], [0], [1], [2])):
        rows = slice(band * height // 4, (band + 1) * height // 4)
        for channel in channels:
            wide[rows, :, channel] = levels.astype(np.uint8)
    step = max(1, width // 240)

    def draw(number: int) -> Pixels:
        at = number * step % width
        return wide[:, at : at + width].copy()

    return draw


def noise(width: int, height: int) -> Draw:
    """Draw noise that differs in each frame but is the same in each run; no codec can compress it."""
    size = width * height * 3
    drawn_once = np.random.default_rng(0).integers(0, 256, size + _NOISE_OFFSETS, np.uint8)

    def draw(number: int) -> Pixels:
        offset = number * 40_503 % _NOISE_OFFSETS  # odd, so that 65536 frames have 65536 offsets
        return drawn_once[offset : offset + size].reshape(height, width, 3).copy()

    return draw


PATTERNS: dict[str, Callable[[int, int], Draw]] = {"bars": bars, "ball": ball, "ramp": ramp, "noise": noise}


@cache
def pattern(name: str, width: int, height: int) -> Draw:
    """Return a function that draws a pattern at a size. The parts that do not move are drawn once."""
    return PATTERNS[name](width, height)


def _bounce(way: int, room: int) -> int:
    """Return the position of a thing that has moved by ``way``, back and forth between 0 and ``room``."""
    there = way % (2 * max(1, room))
    return min(there, 2 * room - there)


class Synthetic:
    """A pattern (``bars``, ``ball``, ``ramp`` or ``noise``) that depends only on the frame's number.

    The picture shows the number twice: for people, and for ``read_number``. Raises ``MediaError`` for a name that is no
    pattern.
    """

    def __init__(self, pattern: str = "bars", *, width: int = 1280, height: int = 720, count: int = 300) -> None:
        if pattern not in PATTERNS:
            *names, last = PATTERNS
            msg = f"there is no pattern {pattern!r}; take {', '.join(names)} or {last}"
            raise MediaError(msg)
        self.name = pattern
        self.count = count
        self.fps = float(_FPS)
        self._width, self._height = width, height

    def time_s(self, number: int) -> float:
        """See ``ClipSource.time_s``."""
        if number < 0:
            check_number(number, self.count)
        return min(number, self.count) / _FPS

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """See ``ClipSource.frames``."""
        check_number(start, self.count)
        return self._draw(start)

    def _draw(self, start: int) -> Generator[VideoFrame]:
        draw = pattern(self.name, self._width, self._height)
        for number in range(start, self.count):
            pixels = draw(number)
            write_number(pixels, number)
            below = strip_height(self._height)
            draw_digits(pixels, number, top=2 * below)
            yield VideoFrame.from_pixels(pixels, number, Fraction(1, _FPS))
