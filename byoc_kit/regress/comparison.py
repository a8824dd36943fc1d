"""Compares golden frames with a processor's present frames: how far they differ, whether that is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from byoc_kit.core.pixels import Pixels
from byoc_kit.media import quality
from byoc_kit.regress.golden import Golden, RegressionError
from byoc_kit.regress.process import Picture

if TYPE_CHECKING:
    from PIL import Image

AMPLIFIED = 8
_GAP = 8
# A notebook scales the picture to its cell's width. Captions grow with the picture, so they stay legible.
_FONT_OF_WIDTH, _SMALLEST_FONT = 1 / 50, 14
MIME_TYPE = "application/vnd.byoc-kit.regression+json"
# The PSNR of a frame that equals its golden one: infinity has no mean and no JSON.
EQUAL_DB = 100.0


def text_table(comparison: Comparison) -> str:
    """Return the figures as aligned text, the verdict first."""
    rows = [("frame", "max difference", "PSNR"), *_rows(comparison)]
    lines = [comparison.verdict, *(f"{number:>5}  {apart:>14}  {psnr:>8}" for number, apart, psnr in rows)]
    return "\n".join(lines)


def html_table(comparison: Comparison) -> str:
    """Return the figures as a table without scripts or styles that a notebook's page would drop."""
    rows = [
        f"<tr><td>{number}</td><td>{escape(apart)}</td><td>{psnr}</td></tr>"
        for number, apart, psnr in _rows(comparison)
    ]
    head = "<tr><th>frame</th><th>max difference</th><th>PSNR</th></tr>"
    return f"<p><b>{escape(comparison.verdict)}</b></p><table>{head}{''.join(rows)}</table>"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the figures as plain values."""
    return {
        "is_met": comparison.failure is None,
        "failure": comparison.failure,
        "recorded": _recorded(comparison.golden),
        "limits": {"max_abs_diff": comparison.max_abs_diff, "min_psnr_db": comparison.min_psnr_db},
        "mean_psnr_db": comparison.mean_psnr_db,
        "worst_frame": comparison.worst.number,
        "frames": [
            {"number": d.number, "max_abs_diff": d.max_abs_diff, "psnr_db": d.psnr_db, "lost": d.lost}
            for d in comparison.differences
        ],
    }


def _recorded(golden: Golden) -> dict[str, Any]:
    return {"clip": golden.clip, "params": dict(golden.params), "versions": dict(golden.versions)}


def draw(difference: Difference) -> Image.Image:
    """Draw a frame: golden, now, and their difference, amplified."""
    golden = difference.golden
    now = np.zeros_like(golden) if difference.now is None else difference.now
    captions = [f"frame {difference.number}, golden", "now", f"difference, x{AMPLIFIED}"]
    pictures = [golden, now, _amplified(golden, now)]
    height, width, _ = golden.shape
    sheet_width = 3 * width + 4 * _GAP
    font_size = _font_size(captions, width, sheet_width)
    font, above = ImageFont.load_default(size=font_size), _GAP + round(font_size * 1.5)
    sheet = Image.new("RGB", (sheet_width, above + height + _GAP), "white")
    for index, (caption, picture) in enumerate(zip(captions, pictures, strict=True)):
        left = _GAP + index * (width + _GAP)
        ImageDraw.Draw(sheet).text((left, (_GAP + above) // 2), caption, fill="black", font=font, anchor="lm")
        image = Image.fromarray(picture)
        sheet.paste(image if image.size == (width, height) else image.resize((width, height)), (left, above))
    return sheet


def _font_size(captions: Sequence[str], width: int, sheet_width: int) -> float:
    """Return the size at which each caption fits above a picture of ``width`` pixels."""
    size = max(_SMALLEST_FONT, sheet_width * _FONT_OF_WIDTH)
    longest = max(map(ImageFont.load_default(size=size).getlength, captions))
    return min(size, size * width / longest)


def _amplified(golden: Pixels, now: Pixels) -> Pixels:
    if now.shape != golden.shape:
        return np.full_like(golden, 255)
    apart: Pixels = (np.abs(golden.astype(np.int16) - now) * AMPLIFIED).clip(0, 255).astype(np.uint8)
    return apart


def _rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(str(d.number), d.lost or str(d.max_abs_diff), _psnr(d)) for d in comparison.differences]


def _psnr(difference: Difference) -> str:
    if difference.lost:
        return "-"
    return "equal" if difference.max_abs_diff == 0 else f"{difference.psnr_db:.1f} dB"


@dataclass(frozen=True, repr=False)
class Difference:
    """One frame: the largest difference of a channel, of 255, and the PSNR. ``lost`` says why there is no frame."""

    number: int
    golden: Pixels
    now: Pixels | None
    max_abs_diff: int
    psnr_db: float
    lost: str | None = None

    def __repr__(self) -> str:
        figures = f"differs by up to {self.max_abs_diff} of 255, PSNR {self.psnr_db:.1f} dB"
        return f"<Difference: frame {self.number} {self.lost or figures}>"


@dataclass(frozen=True, repr=False)
class Comparison:
    """The comparison of all golden frames, and the limits; a notebook shows it as a table.

    The output also has the same figures as JSON under ``MIME_TYPE``, for a program that reads the executed notebook.
    """

    differences: tuple[Difference, ...]
    golden: Golden
    max_abs_diff: int
    min_psnr_db: float

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"

    @property
    def verdict(self) -> str:
        """What is wrong, or how close all frames are, in one sentence."""
        if self.failure:
            return self.failure
        worst = max(difference.max_abs_diff for difference in self.differences)
        count, mean_db = len(self.differences), self.mean_psnr_db
        return f"{count} frames as recorded: differences up to {worst} of 255, mean PSNR {mean_db:.1f} dB"

    @cached_property
    def worst(self) -> Difference:
        """A lost frame, else the frame with the largest difference, else the one with the lowest PSNR."""
        return max(self.differences, key=lambda d: (d.lost is not None, d.max_abs_diff, -d.psnr_db))

    @cached_property
    def mean_psnr_db(self) -> float:
        """Mean PSNR; a frame that equals its golden one counts as 100 dB, a lost frame as 0."""
        return fmean(difference.psnr_db for difference in self.differences)

    @property
    def failure(self) -> str | None:
        """What is wrong, in one sentence that names the worst frame; ``None`` if all limits are kept."""
        worst = self.worst
        if worst.lost:
            return f"frame {worst.number} {worst.lost}"
        if worst.max_abs_diff <= self.max_abs_diff and self.mean_psnr_db >= self.min_psnr_db:
            return None
        if worst.max_abs_diff <= self.max_abs_diff:
            wanted = f"the mean PSNR is {self.mean_psnr_db:.1f} dB, less than the {self.min_psnr_db:g} dB wanted"
            return f"{wanted}; frame {worst.number} is the farthest from its golden one"
        return (
            f"frame {worst.number} differs from its golden one by up to {worst.max_abs_diff} of 255 "
            f"(allowed {self.max_abs_diff}), and the mean PSNR is {self.mean_psnr_db:.1f} dB "
            f"(wanted {self.min_psnr_db:g})"
        )

    def require_met(self) -> None:
        """Raise ``RegressionError`` if a limit is not kept."""
        if self.failure:
            msg = f"{self.failure}; if that is intended, record the golden frames again"
            if self.golden.inputs:
                msg += "; where process_frame remembers frames, keep a stretch with p.save_golden(25, lead_in=50)"
            raise RegressionError(msg)

    def picture(self) -> Image.Image:
        """Draw the worst frame: golden, now, and their difference, amplified."""
        return draw(self.worst)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": text_table(self), "text/html": html_table(self), MIME_TYPE: as_json(self)}


def compare(pictures: Iterable[Picture], golden: Golden, *, max_abs_diff: int, min_psnr_db: float) -> Comparison:
    """Compare pictures with the golden ones of the same numbers.

    Each channel of each pixel may differ by ``max_abs_diff`` of 255; the mean PSNR must be at least ``min_psnr_db``.
    """
    now = {picture.number: picture.pixels for picture in pictures}
    both = {n: pixels for n in golden.pictures if (pixels := now.get(n)) is not None}
    alike = {n: pixels for n, pixels in both.items() if pixels.shape == golden.pictures[n].shape}
    measured = _measured(golden, alike)
    differences = []
    for number, expected in golden.pictures.items():
        if number not in measured:
            lost = _why_lost(number, now, expected)
            differences.append(Difference(number, expected, both.get(number), 255, 0.0, lost))
            continue
        apart = int(np.abs(expected.astype(np.int16) - alike[number]).max())
        psnr_db = min(measured[number].psnr_db, EQUAL_DB)
        differences.append(Difference(number, expected, alike[number], apart, psnr_db))
    return Comparison(tuple(differences), golden, max_abs_diff, min_psnr_db)


def _measured(golden: Golden, now: Mapping[int, Pixels]) -> dict[int, quality.Quality]:
    """Compare the pictures of each size on their own: the filters take one size, and an effect may change its own."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, pixels in now.items():
        by_shape.setdefault(pixels.shape, []).append(number)
    measured: dict[int, quality.Quality] = {}
    for numbers in by_shape.values():
        found = quality.compare((golden.pictures[n], now[n]) for n in numbers)
        measured |= zip(numbers, found, strict=True)
    return measured


def _why_lost(number: int, now: dict[int, Pixels | None], expected: Pixels) -> str:
    if number not in now:
        return "is golden, and was not made now"
    pixels = now[number]
    if pixels is None:
        return "was dropped by process_frame"
    height, width, _ = pixels.shape
    return f"is {width}x{height}, and its golden one {expected.shape[1]}x{expected.shape[0]}"
