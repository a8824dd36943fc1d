"""``python -m benchmarks --preview``: the preview beside other ways to show live pictures in JupyterLab, in one run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import machine
from benchmarks.preview_contenders import PreviewContender, choose
from benchmarks.preview_measure import watch
from benchmarks.preview_record import PreviewRecord, PreviewRun, preview_table, write_preview_json
from benchmarks.preview_setup import CLIP_S, preview_setup, versions
from benchmarks.run import Request, say, to_its_end
from benchmarks.source import HEIGHT, RATE, WIDTH
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview import DISPLAY_WIDTH
from byoc_kit.jupyter.preview.frame_cache import room_bytes


def bench_preview(request: Request) -> int:
    """Measure, print the table, write ``preview.json``, the plot and a screenshot of each contender.

    Returns 0, or 1 where a target is missed. Raises ``ByocKitError`` where something to measure with is missing.
    """
    chosen = choose(request.only)
    if request.runs < 1 or request.seconds < 1:
        msg = "--runs and --seconds must be 1 at least"
        raise ByocKitError(msg)
    facts = machine.facts()
    request.output.mkdir(parents=True, exist_ok=True)
    runs, took_part = to_its_end(_rounds(request, chosen))
    settings = {
        "clip": request.clip.name,
        "size": f"{WIDTH}x{HEIGHT}",
        "shown": f"twice {DISPLAY_WIDTH}x{DISPLAY_WIDTH * HEIGHT // WIDTH}",
        "rate": RATE,
        "seconds": request.seconds,
        "runs": request.runs,
        "versions": took_part,
        "is_kept": room_bytes() >= CLIP_S * RATE * WIDTH * HEIGHT * 3 // 2,
    }
    record = PreviewRecord(settings, facts, runs)
    write_preview_json(record, request.output / "preview.json")
    from benchmarks.preview_plot import plot_preview

    plot_preview(record, request.output / "preview")
    sys.stdout.write(f"{preview_table(record)}\nwrote {request.output}/preview.json, preview.png and preview.svg\n")
    return int(any(verdict.is_met is False for verdict in record.verdicts))


async def _rounds(request: Request, chosen: Sequence[PreviewContender]) -> tuple[list[PreviewRun], dict[str, str]]:
    """Run all contenders, round after round, so that what drifts on the machine hits all alike."""
    runs = []
    chromium = ""
    async with preview_setup(request.clip) as at:
        for number in range(1, request.runs + 1):
            for contender in chosen:
                say(f"round {number} of {request.runs}: {contender.title}")
                load = machine.load()
                picture = request.output / f"preview-{contender.key}.png"
                watched = await watch(contender, at, seconds=request.seconds, picture=picture)
                runs.append(PreviewRun.of(watched, contender=contender.key, round=number, load=load))
                chromium = watched.chromium
        return runs, versions() | {"Chromium": chromium}
