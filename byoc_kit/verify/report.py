"""The verdict as a table on the terminal and as one HTML file."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import byoc_kit
from byoc_kit.bundle.load import Bundle
from byoc_kit.frames import Pixels
from byoc_kit.verify.judge import Pictures
from byoc_kit.verify.live import Where
from byoc_kit.verify.result import Result
from byoc_kit.verify.table import HEADS, rows

OUTPUT = "output.mp4"
_PICTURE_WIDTH = 480
_CHART = (720, 120)
_WIDEST = 60


def print_table(result: Result, where: Where) -> None:
    """Print the ways that the frames went, and the verdict line by line."""
    ways = rows(result, where)
    name_width = max(len(way.name) for way in ways)
    figures = iter(_columns([(HEADS[0].ljust(name_width), *HEADS[1:]), *(way.cells for way in ways if way.is_run)]))
    print(next(figures))  # noqa: T201
    for way in ways:
        print(next(figures) if way.is_run else f"{way.name.ljust(name_width)}  {way.note}")  # noqa: T201
    print()  # noqa: T201
    lines = [("", *figure) for figure in _figures(result)]
    lines += [("ok" if c.is_met else "NO", c.name, c.value, f"wanted {c.wanted}") for c in result.checks()]
    print("\n".join(_columns(lines)))  # noqa: T201
    if result.last_lines:
        print("its last lines:", *result.last_lines, sep="\n  ")  # noqa: T201
    short = [c.name for c in result.checks() if not c.is_met]
    print(f"falls short: {', '.join(short)}" if short else "all met")  # noqa: T201


def _columns(lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Return texts in columns; a long text pushes the rest of its line away, and no other line's."""
    columns = zip(*lines, strict=True)
    widths = [max((len(text) for text in column if len(text) <= _WIDEST), default=0) for column in columns]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def write_report(
    folder: Path, bundle: Bundle, clip: Path, result: Result, pictures: list[Pictures], where: Where
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
        params=result.params,
        kit_version=byoc_kit.__version__,
        result=result,
        heads=HEADS,
        rows=rows(result, where),
        figures=_figures(result),
        has_video=(folder / OUTPUT).is_file(),
        pictures=[
            {"number": p.number, "shown": [_data_url(x) for x in (p.source, p.expected, p.received)]} for p in pictures
        ],
        charts=[
            _chart("Latency", "ms", [None if f.latency_s is None else 1000 * f.latency_s for f in result.frames]),
            _chart("PSNR", "dB", [min(f.quality.psnr_db, 100) for f in result.frames if f.quality]),
        ],
        chart_size=_CHART,
    )
    report.write_text(text)
    return report


def _figures(result: Result) -> list[tuple[str, str, str]]:
    if result.not_streamed:
        return []
    drops = ", ".join(f"{reason} {count}" for reason, count in result.drops.items()) or "none"
    process = result.status.get("timings_ms", {}).get("process", {})
    return [
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
