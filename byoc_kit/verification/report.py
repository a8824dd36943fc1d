"""Shows the verdict as a table on the terminal and as one HTML file, with a row for each way of the frames."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import byoc_kit
from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.core.pixels import Pixels
from byoc_kit.system.table import aligned
from byoc_kit.verification.replay import Outcome, Replay
from byoc_kit.verification.result import Result, Streamed

HEADS = ("", "frames", "max difference", "PSNR", "SSIM", "latency p50", "p95", "")
_PICTURE_WIDTH = 480
_CHART = (720, 120)
_WIDEST = 60


@dataclass(frozen=True)
class Row:
    """One way: its name and its figures as text; ``note`` says what they are about, or why there are none."""

    name: str
    frames: str = ""
    max_diff: str = ""
    psnr: str = ""
    ssim: str = ""
    p50: str = ""
    p95: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts in the order of ``HEADS``."""
        return astuple(self)

    @property
    def is_run(self) -> bool:
        """Whether it has figures."""
        return bool(self.frames)


def rows(result: Result) -> list[Row]:
    """Return the notebook, the module, the server and the container."""
    return [_notebook(result), _module(result), *_streams(result)]


def _notebook(result: Result) -> Row:
    if result.notebook is None:
        return Row("notebook", note="not run: --skip-notebook")
    return _replayed("notebook", result.notebook, "", "what the others are compared with")


def _module(result: Result) -> Row:
    if result.module is None:
        return Row("module")
    difference = result.difference
    if difference is None:
        return _replayed("module", result.module, "", "the notebook gave nothing to compare it with")
    is_known = difference.is_alike and (difference.max_abs_diff > 0 or not difference.text)
    value = str(difference.max_abs_diff) if is_known else ""
    return _replayed("module", result.module, value, difference.text or "with requirements.lock alone")


def _replayed(name: str, one: Replay, max_diff: str, note: str) -> Row:
    if one.fault:
        return Row(name, note=one.failure)
    made, dropped, raised = (one.count(outcome) for outcome in Outcome)
    frames = f"{made} of {len(one.frames)}"
    left = [f"{count} {outcome}" for outcome, count in (("dropped", dropped), ("raised", raised)) if count]
    p50, p95 = _percentiles(one.took_ms())
    return Row(name, frames, max_diff, p50=p50, p95=p95, note=", ".join([*left, note]))


def _streams(result: Result) -> tuple[Row, Row]:
    served = next((one for one in result.streams if one.where.is_here), None)
    contained = next((one for one in result.streams if not one.where.is_here), None)
    server = "server over trickle"
    container = f"container at {contained.where.url}" if contained and contained.where.url else "container"
    return (
        _streamed(server, served, result) if served else Row(server, note=f"not run: {result.not_served}"),
        _streamed(container, contained, result)
        if contained
        else Row(container, note="not run: no --image and no --url"),
    )


def _streamed(name: str, one: Streamed, result: Result) -> Row:
    if one.broken and not one.received:
        return Row(name, note=one.broken)
    compared = sum(frame.quality is not None for frame in one.frames)
    against = "notebook" if result.truth is result.notebook else "module"
    p50, p95 = _percentiles(one.latency_ms())
    said = f"{compared} of them compared with the {against}'s, after the codec" if compared else ""
    return Row(
        name,
        f"{len(one.received)} of {len(one.wanted)}",
        psnr=f"{one.mean_psnr_db:.1f} dB" if compared else "",
        ssim=f"{one.mean_ssim:.4f}" if compared else "",
        p50=p50,
        p95=p95,
        note="; ".join(filter(None, [one.broken, one.misfit or said, one.why_fewer])),
    )


def _percentiles(ms: Mapping[str, float]) -> tuple[str, str]:
    return (f"{ms['p50']:.0f} ms", f"{ms['p95']:.0f} ms") if ms else ("", "")


def print_table(result: Result) -> None:
    """Print a row for each way, and the verdict line by line."""
    ways = [way.cells if way.is_run else (way.name, way.note) for way in rows(result)]
    print("\n".join(aligned([HEADS, *ways], widest=_WIDEST)), end="\n\n")  # noqa: T201
    lines = [("", f"{one.where.kind}: {name}", *rest) for one in result.streams for name, *rest in _figures(one)]
    lines += [("ok" if c.is_met else "NO", c.name, c.value, f"wanted {c.wanted}") for c in result.checks()]
    lines += [("note", *note, "") for note in result.notes()]
    print("\n".join(aligned(lines, widest=_WIDEST)))  # noqa: T201
    for one in result.streams:
        if one.last_lines:
            print(f"the {one.where.kind}'s last lines:", *one.last_lines, sep="\n  ")  # noqa: T201
    short = [c.name for c in result.checks() if not c.is_met]
    print(f"falls short: {', '.join(short)}" if short else "all met")  # noqa: T201
    is_short = any(check.name.endswith("frames back") and not check.is_met for check in result.checks())
    if result.busy and is_short and any(one.may_have_lost_frames for one in result.streams):
        hint = "on an idle one fewer frames may be late or lost; --min-frames accepts fewer"
        print(f"this machine was busy ({result.busy}): {hint}")  # noqa: T201


def output_path(folder: Path, kind: str) -> Path:
    """Return the file for the video that comes back from a server or a container."""
    return folder / f"{kind}.mp4"


def write_report(folder: Path, bundle: Bundle, clip: Path, result: Result) -> Path:
    """Write ``report.html``, which needs no other files except the videos that it links to; returns its path."""
    from jinja2 import Environment, PackageLoader

    page = Environment(
        loader=PackageLoader("byoc_kit.verification", "."), autoescape=True, trim_blocks=True
    ).get_template("report.html")
    report = folder / "report.html"
    text = page.render(
        title=bundle.title,
        model_id=bundle.model_id,
        clip=clip.name,
        params=result.params,
        kit_version=byoc_kit.__version__,
        result=result,
        heads=HEADS,
        rows=rows(result),
        streams=[_section(one, folder) for one in result.streams],
        chart_size=_CHART,
    )
    report.write_text(text)
    return report


def _section(one: Streamed, folder: Path) -> dict[str, Any]:
    """Return the report's section about one server or container."""
    video = output_path(folder, one.where.kind)
    latencies_ms = [None if frame.latency_s is None else 1000 * frame.latency_s for frame in one.frames]
    return {
        "kind": one.where.kind,
        "video": video.name if video.is_file() else None,
        "figures": _figures(one),
        "last_lines": one.last_lines,
        "pictures": [
            {"number": p.number, "shown": [_data_url(x) for x in (p.source, p.expected, p.received)]}
            for p in one.pictures
        ],
        "charts": [
            _chart("Latency", "ms", latencies_ms),
            _chart("PSNR", "dB", [min(frame.quality.psnr_db, 100) for frame in one.frames if frame.quality]),
        ],
        "health": one.health,
    }


def _figures(one: Streamed) -> list[tuple[str, str, str]]:
    drops = ", ".join(f"{reason} {count}" for reason, count in one.drops.items()) or "none"
    process = one.status.get("timings_ms", {}).get("process", {})
    return [
        ("dropped", drops, f"counted by the {one.where.kind}"),
        (
            "process_frame",
            ", ".join(f"{p} {ms:.1f} ms" for p, ms in process.items()) or "-",
            f"in the {one.where.kind}",
        ),
    ]


def _data_url(pixels: Pixels) -> str:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(name: str, unit: str, values: list[float | None]) -> dict[str, Any]:
    """Return the points of a line chart, with a gap for each frame that did not come back."""
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
