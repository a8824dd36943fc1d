"""One contender in one notebook: what its kernel noted, and what the page showed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil  # type: ignore[import-untyped]  # it has no type hints

from benchmarks.lab import Lab
from benchmarks.preview_contenders import PreviewContender
from benchmarks.preview_page import NotebookPage, open_notebook, renderers
from benchmarks.preview_setup import CLIP_S, PreviewSetup

# The first seconds have the first pictures, the poster and JupyterLab's own work in them. And the clip has been through
# once: byoc-kit, which keeps a clip's frames that fit into the memory, decodes them in the first loop only.
SETTLE_S = CLIP_S + 1
# What is under way when a window ends may still be shown.
_AFTER_S = 1.0
BUSY_CELLS = 12
_BUSY_CELL = "import time; time.sleep(0.7)"


@dataclass(frozen=True)
class Note:
    """A frame, as the kernel noted it. Times are of ``time``; ``own_cpu_s`` is process_frame's so far."""

    number: int
    submitted_s: float
    returned_s: float
    own_cpu_s: float


@dataclass
class Window:
    """What happened between two times. ``cpu_s`` is what kernel, server and page took, by these names."""

    start_s: float = 0.0
    end_s: float = 0.0
    shown: list[tuple[int, float]] = field(default_factory=list)
    looks: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)


@dataclass
class Watched:
    """One run: all frames' notes, playing alone, playing beside busy cells, the clocks' difference, the browser."""

    notes: list[Note]
    playing: Window
    busy: Window
    clock_ms: float
    chromium: str


async def watch(contender: PreviewContender, at: PreviewSetup, *, seconds: float, picture: Path) -> Watched:
    """Show the clip for so many seconds, then while twelve cells run; ``picture`` gets a screenshot."""
    async with _showing(contender, at) as (page, notes):
        playing = await _window(page, at.lab, notes, lambda: asyncio.sleep(seconds))
        clock_ms = await page.clock_ms()
        screenshot = await page.page.screenshot()
        busy = await _window(page, at.lab, notes, page.run_others)
        await asyncio.sleep(_AFTER_S)
        busy.shown += (await page.take_seen())[0]
        chromium = await page.page.version()
    await asyncio.to_thread(picture.write_bytes, screenshot)
    return Watched(read_notes(notes), playing, busy, clock_ms, chromium)


@asynccontextmanager
async def _showing(contender: PreviewContender, at: PreviewSetup) -> AsyncIterator[tuple[NotebookPage, Path]]:
    """Have a contender show the clip in a new notebook and kernel; yields page and notes once it has settled."""
    notebook, notes = write_notebook(contender, at)
    async with open_notebook(at, notebook) as page:
        await page.run_first(contender)
        await page.read_numbers(contender)
        await asyncio.sleep(SETTLE_S)
        yield page, notes
    await at.lab.end_kernels()


async def _window(page: NotebookPage, lab: Lab, notes: Path, work: Callable[[], Awaitable[None]]) -> Window:
    """Watch while ``work`` is done."""
    processes = {"kernel": [kernel_of(notes)], "server": [psutil.Process(lab.child.process.pid)], "page": renderers()}

    def spent_s() -> dict[str, float]:
        return {name: sum(map(_cpu_s, group)) for name, group in processes.items()}

    await page.take_seen()
    before_s = spent_s()
    window = Window(start_s=time.time())
    await work()
    window.end_s = time.time()
    window.cpu_s = {name: after_s - before_s[name] for name, after_s in spent_s().items()}
    window.shown, window.looks = await page.take_seen()
    return window


def read_notes(file: Path) -> list[Note]:
    """Return what the kernel noted so far; a last line that is not whole is left out."""
    lines = file.read_text().rpartition("\n")[0].splitlines()[1:]
    return [Note(int(number), *map(float, rest)) for number, *rest in map(str.split, lines)]


def kernel_of(notes: Path) -> psutil.Process:
    """Return the kernel that writes these notes."""
    with notes.open() as file:
        return psutil.Process(int(file.readline()))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def write_notebook(contender: PreviewContender, at: PreviewSetup) -> tuple[str, Path]:
    """Write the notebook in which a contender shows the clip; returns its name, and where its kernel will note."""
    notes, file = at.folder / f"{contender.key}.notes", at.folder / f"{contender.key}.ipynb"
    cells = [contender.cell(str(at.clip), str(notes)), *[_BUSY_CELL] * BUSY_CELLS]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(notebook, file)
    return file.name, notes
