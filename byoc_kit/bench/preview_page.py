"""A notebook in JupyterLab in headless Chromium, and what can be seen of its picture there."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]  # it has no type hints

from byoc_kit.bench.lab import Lab
from byoc_kit.bench.preview_contenders import Shower
from byoc_kit.bench.preview_number import BLOCKS, STRIP
from byoc_kit.errors import ByocKitError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# A picture that is not on the screen need not be drawn: everything fits into this window.
VIEWPORT = {"width": 1760, "height": 1600}
_TIMEOUT_MS = 60_000
CHROMIUM_ARGS = [
    "--no-sandbox",  # which refuses to start as root
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_READER = (Path(__file__).parent / "preview_reader.js").read_text()
IDLE = "Python 3 (ipykernel) | Idle"
_LAST_HAS_RUN = r"""() => /^\[\d+\]:$/.test([...document.querySelectorAll('.jp-InputPrompt')].at(-1).textContent)"""
_ASKED = 5


def chromium_binary() -> str:
    """Return the path of Chromium; raises :class:`ByocKitError` where there is none."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if binary is None:
        msg = "the preview is measured in Chromium, which is not on the path; apt-get install chromium"
        raise ByocKitError(msg)
    return binary


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium; raises :class:`ByocKitError` where Playwright or Chromium is missing."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        msg = "the preview is measured in Chromium by Playwright; pip install 'byoc-kit[bench]'"
        raise ByocKitError(msg) from None
    binary = chromium_binary()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=CHROMIUM_ARGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True)
class NotebookPage:
    """An open notebook whose kernel is idle."""

    page: Page

    async def run_first(self, shower: Shower) -> None:
        """Run the first cell, and wait until a frame number can be read in its output."""
        await self._command("notebook:run-cell-and-select-next")
        await self.page.wait_for_selector(shower.selector)
        look = {"selector": shower.selector, "left": shower.left, "width": 1 - shower.left}
        await self.page.evaluate(_READER, {**look, "blocks": BLOCKS, "strip": STRIP})
        await self.page.wait_for_function("byocReader.seen.length > 0")

    async def run_others(self) -> None:
        """Run the cells below, and wait until the last has run."""
        await self._command("notebook:run-all-below")
        await self.page.wait_for_function(_LAST_HAS_RUN, polling=100)

    async def take_seen(self) -> tuple[list[tuple[int, float]], int]:
        """Return each number first seen since the last call, with its time, and how often the picture was looked at."""
        seen, looks = await self.page.evaluate(
            "() => [byocReader.seen.splice(0), byocReader.looks - (byocReader.taken ?? 0)]"
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

    async def screenshot(self, file: Path) -> None:
        """Write what the page looks like."""
        await self.page.screenshot(path=file)

    async def _command(self, name: str) -> None:
        await self.page.evaluate("name => void jupyterapp.commands.execute(name)", name)


@asynccontextmanager
async def open_notebook(browser: Browser, lab: Lab, notebook: str) -> AsyncIterator[NotebookPage]:
    """Open a notebook of the lab's folder in a window of its own, and wait for its kernel."""
    context = await browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]  # a ViewportSize is a dict
    try:
        page = await context.new_page()
        page.set_default_timeout(_TIMEOUT_MS)
        await page.goto(lab.notebook_url(notebook))
        await page.wait_for_selector(".jp-Notebook .jp-Cell")
        await page.get_by_text(IDLE).wait_for()
        yield NotebookPage(page)
    finally:
        await context.close()


def renderers() -> list[Any]:
    """Return the processes of the browser's pages, below this one."""
    return [child for child in psutil.Process().children(recursive=True) if "--type=renderer" in _command_of(child)]


def _command_of(process: Any) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has ended
        return []
