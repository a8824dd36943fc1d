"""The verdict as a table on the terminal and as one HTML file."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import byoc_kit
from byoc_kit.bundle.load import Bundle
from byoc_kit.frames import Pixels
from byoc_kit.verify.judge import Pictures
from byoc_kit.verify.result import Result

_PICTURE_WIDTH = 480
_CHART = (720, 120)


def print_table(result: Result) -> None:
    """Print the verdict line by line."""
    rows = [("", *row) for row in _figures(result)]
    rows += [("ok" if c.is_met else "NO", c.name, c.value, f"wanted {c.wanted}") for c in result.checks()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip())  # noqa: T201
    short = [c.name for c in result.checks() if not c.is_met]
    print(f"falls short: {', '.join(short)}" if short else "all met")  # noqa: T201


def write_report(
    folder: Path, bundle: Bundle, clip: Path, result: Result, pictures: list[Pictures], params: dict[str, Any]
) -> Path:
    """Write ``report.html``, whole in itself but for the link to the output video; returns its path."""
    from jinja2 import Environment, PackageLoader

    page = Environment(loader=PackageLoader("byoc_kit.verify", "."), autoescape=True, trim_blocks=True).get_template(
        "report.html"
    )
    report = folder / "report.html"
    text = page.render(
        title=bundle.title,
        model_id=bundle.model_id,
        clip=clip.name,
        params=params,
        kit_version=byoc_kit.__version__,
        result=result,
        figures=_figures(result),
        pictures=[
            {"number": p.number, "shown": [_data_url(x) for x in (p.source, p.expected, p.received)]} for p in pictures
        ],
        charts=[
            _chart("Latency", "ms", [None if f.latency_s is None else 1000 * f.latency_s for f in result.frames]),
            _chart("PSNR", "dB", [min(f.quality.psnr_db, 100) if f.quality else None for f in result.frames]),
        ],
        chart_size=_CHART,
    )
    report.write_text(text)
    return report


def _figures(result: Result) -> list[tuple[str, str, str]]:
    drops = ", ".join(f"{reason} {count}" for reason, count in result.drops.items()) or "none"
    process = result.status.get("timings_ms", {}).get("process", {})
    return [
        ("latency", f"p50 {result.latency_ms(50):.0f} ms, p95 {result.latency_ms(95):.0f} ms", "due to back whole"),
        ("mean SSIM", f"{result.mean_ssim:.4f}", "1 is equal"),
        ("dropped", drops, "counted by the container"),
        ("process_frame", ", ".join(f"{p} {ms:.1f} ms" for p, ms in process.items()) or "-", "in the container"),
    ]


def _data_url(pixels: Pixels) -> str:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(name: str, unit: str, values: list[float | None]) -> dict[str, Any]:
    """Return a line chart's points, broken where a frame did not come back."""
    width, height = _CHART
    known = [value for value in values if value is not None and math.isfinite(value)]
    top = max(known, default=1.0) * 1.1 or 1.0
    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        lines[-1].append(f"{index * width / max(1, len(values) - 1):.1f},{height - value * height / top:.1f}")
    return {"name": name, "unit": unit, "top": f"{top:.0f}", "lines": [" ".join(line) for line in lines if line]}
