"""``python -m benchmarks --preview --soak``: the preview plays for long; neither kernel nor page may grow."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import machine
from benchmarks.preview_contenders import OURS
from benchmarks.preview_measure import kernel_of, write_notebook
from benchmarks.preview_page import open_notebook, renderers
from benchmarks.preview_setup import preview_setup
from benchmarks.record import dump, load_warnings
from benchmarks.run import say, to_its_end
from benchmarks.table import verdict_lines, warning_lines
from benchmarks.targets import Verdict, at_most
from byoc_kit.errors import ByocKitError

_SHORTEST = 2
_SAMPLE_S = 10.0
_MINUTE_S = 60.0
_PARTS = 5
_GROWTH = 1.05


@dataclass(frozen=True)
class Sample:
    """Memory at one time, in MB: of the kernel, of the page's process, of the page's JavaScript objects."""

    time_s: float
    kernel_mb: float
    page_mb: float
    heap_mb: float
    shown_fps: float


_NAMES = {
    "kernel_mb": "kernel memory, MB",
    "page_mb": "page memory, MB",
    "heap_mb": "JavaScript heap, MB",
    "shown_fps": "shown, fps",
}
# What the preview itself says: its third number is the rate of the last two seconds.
_SHOWN = "document.querySelectorAll('.byoc-preview-number')[2]?.innerText"
_MUST_NOT_GROW = ["kernel_mb", "page_mb", "heap_mb"]


def soak_preview(clip: Path, *, minutes: int, output: Path) -> int:
    """Play for so many minutes; prints the verdict, writes ``preview-soak.json`` and a plot.

    Returns 0, or 1 where memory has grown. Raises ``ByocKitError`` for less than 2 minutes, or where something to
    measure with is missing.
    """
    if minutes < _SHORTEST:
        msg = f"--soak must be {_SHORTEST} minutes at least: the last fifth is compared with the second"
        raise ByocKitError(msg)
    facts = machine.facts()
    say(f"the preview plays for {minutes} minutes")
    samples = to_its_end(_play(clip, _MINUTE_S * minutes))
    verdicts, warnings = check_growth(samples), load_warnings(facts["load"])
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": facts,
        "warnings": warnings,
        "targets": [asdict(verdict) for verdict in verdicts],
        "samples": [asdict(sample) for sample in samples],
    }
    dump(content, output / "preview-soak.json")
    from benchmarks.preview_plot import plot_preview_soak

    series = {title: [(one.time_s, getattr(one, name)) for one in samples] for name, title in _NAMES.items()}
    plot_preview_soak(series, output / "preview-soak")
    wrote = f"wrote {output}/preview-soak.json, preview-soak.png and preview-soak.svg"
    sys.stdout.write("\n".join([*verdict_lines(verdicts), *warning_lines(warnings), wrote]) + "\n")
    return int(not all(verdict.is_met for verdict in verdicts))


def check_growth(samples: list[Sample]) -> list[Verdict]:
    """Compare the mean of the last fifth with that of the second; the first one has the start in it."""
    length = len(samples) // _PARTS
    second, last = samples[length : 2 * length], samples[-length:]
    return [
        at_most(
            f"{_NAMES[name]}, last fifth to second",
            fmean(getattr(one, name) for one in last) / fmean(getattr(one, name) for one in second),
            _GROWTH,
        )
        for name in _MUST_NOT_GROW
    ]


async def _play(clip: Path, seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    async with preview_setup(clip) as at:
        notebook, notes = write_notebook(OURS, at)
        async with open_notebook(at, notebook) as opened:
            await opened.run_first(OURS)
            page = opened.page
            await page.wait_for(f"{_SHOWN} !== undefined")
            kernel, begun_s = kernel_of(notes), time.monotonic()
            while time.monotonic() - begun_s < seconds:
                await asyncio.sleep(_SAMPLE_S)
                page_mb = max(process.memory_info().rss for process in renderers()) / 1e6
                kernel_mb, heap_mb = kernel.memory_info().rss / 1e6, await page.heap_mb()
                shown_fps = float((await page.evaluate(_SHOWN)).split()[0])
                samples.append(Sample(time.monotonic() - begun_s, kernel_mb, page_mb, heap_mb, shown_fps))
    return samples
