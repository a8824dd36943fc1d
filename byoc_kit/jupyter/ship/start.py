"""Makes the kind of panel that fits: one with buttons, or printed text without a browser."""

from __future__ import annotations

import sys
from pathlib import Path

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.ship.overview import Target, as_plain, read_overview
from byoc_kit.jupyter.ship.panel import Panel

_panels = kernel.OpenByCell()


class Printed:
    """The panel without a browser: it only prints the cells and the findings."""

    def __init__(self, text: str) -> None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def close(self) -> None:
        """Nothing is open."""

    def _ipython_display_(self) -> None:
        """Show nothing more."""


def start(notebook: str | Path | None) -> Panel | Printed:
    """Make what ``ship`` describes."""
    _panels.close_earlier(kernel.cell())
    is_watched = kernel.has_front_end()
    try:
        path = kernel.this_notebook() if notebook is None else Path(notebook)
    except kernel.UnknownNotebookError as error:
        if is_watched:
            raise
        return Printed(f"byoc_kit.ship: {error}")
    target = Target(path.absolute())
    overview = read_overview(target)
    if not is_watched:
        return Printed(as_plain(overview))
    panel = Panel(overview)
    _panels.add(kernel.cell(), panel)
    return panel
