"""Frames that are drawn: patterns with the frame's number in them."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction

from byoc_kit.frames import VideoFrame
from byoc_kit.media.clip import check_number
from byoc_kit.media.decode import MediaError
from byoc_kit.sources.digits import draw_digits
from byoc_kit.sources.number_strip import strip_height, write_number
from byoc_kit.sources.patterns import PATTERNS, pattern

_FPS = 30


class Synthetic:
    """A pattern (``bars``, ``ball``, ``ramp`` or ``noise``) that follows from the frame's number alone.

    The number stands in the picture twice: for people, and for
    :func:`~byoc_kit.sources.number_strip.read_number`. Raises :class:`MediaError` for another pattern.
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
        """See :meth:`Reel.time_s`."""
        if number < 0:
            check_number(number, self.count)
        return min(number, self.count) / _FPS

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """See :meth:`Reel.frames`."""
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
