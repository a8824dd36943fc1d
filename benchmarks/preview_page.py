"""A notebook in JupyterLab in headless Chromium, and what can be seen of its picture there."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no type hints

from benchmarks.devtools import Page, open_page
from benchmarks.preview_contenders import PreviewContender
from benchmarks.preview_number import BLOCKS, STRIP
from benchmarks.preview_setup import PreviewSetup

_READER = (Path(__file__).parent / "preview_reader.js").read_text()
_IS_IDLE = "document.body?.innerText.includes('Python 3 (ipykernel) | Idle')"
_LAST_HAS_RUN = r"/^\[\d+\]:$/.test([...document.querySelectorAll('.jp-InputPrompt')].at(-1).textContent)"
_ASKED = 5


@dataclass(frozen=True)
class NotebookPage:
    """An open notebook whose kernel is idle."""

    page: Page

    async def run_first(self, contender: PreviewContender) -> None:
        """Run the first cell, and wait until its output is there."""
        await self._command("notebook:run-cell-and-select-next")
        await self.page.wait_for(f"document.querySelector({contender.selector!r}) !== null")

    async def read_numbers(self, contender: PreviewContender) -> None:
        """Have the page read the frame numbers in the output from now on, and wait for the first."""
        look = {"selector": contender.selector, "left": contender.left, "width": 1 - contender.left}
        await self.page.evaluate(f"({_READER})({json.dumps({**look, 'blocks': BLOCKS, 'strip': STRIP})})")
        await self.page.wait_for("byocReader.seen.length > 0")

    async def run_others(self) -> None:
        """Run the cells below, and wait until the last has run."""
        await self._command("notebook:run-all-below")
        await self.page.wait_for(_LAST_HAS_RUN)

    async def take_seen(self) -> tuple[list[tuple[int, float]], int]:
        """Return each number first seen since the last call, with its time, and how often the picture was looked at."""
        seen, looks = await self.page.evaluate(
            "[byocReader.seen.splice(0), byocReader.looks - (byocReader.taken ?? 0)]"
        )
        await self.page.evaluate(f"byocReader.taken = (byocReader.taken ?? 0) + {looks}")
        return [(int(number), float(seen_s)) for number, seen_s in seen], int(looks)

    async def clock_ms(self) -> float:
        """Return how far the page's clock is ahead of ours, as the quickest of some answers says."""
        answers = []
        for _ in range(_ASKED):
            asked_s = time.time()
            said_ms = await self.page.evaluate("performance.timeOrigin + performance.now()")
            told_s = time.time()
            answers.append((told_s - asked_s, said_ms - 500 * (asked_s + told_s)))
        return float(min(answers)[1])

    async def _command(self, name: str) -> None:
        await self.page.evaluate(f"void jupyterapp.commands.execute({name!r})")


@asynccontextmanager
async def open_notebook(at: PreviewSetup, notebook: str) -> AsyncIterator[NotebookPage]:
    """Open a notebook of the desk's folder in a browser of its own, and wait for its kernel."""
    async with open_page(at.lab.notebook_url(notebook), at.folder / "chromium.log") as page:
        await page.wait_for(_IS_IDLE)
        yield NotebookPage(page)


def renderers() -> list[Any]:
    """Return the processes of the browser's pages, below this one."""
    return [child for child in psutil.Process().children(recursive=True) if "--type=renderer" in _command_of(child)]


def _command_of(process: Any) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has ended
        return []
