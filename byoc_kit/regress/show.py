"""A comparison as a notebook shows it: a table, a picture, and JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from byoc_kit.frames import Pixels
from byoc_kit.regress.comparison import Comparison, Difference
from byoc_kit.regress.golden import Golden

AMPLIFIED = 8
_GAP = 8
# A notebook shows the picture as wide as its cell: captions grow with it, so that they stay legible.
_FONT_OF_WIDTH, _SMALLEST_FONT = 1 / 50, 14


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
