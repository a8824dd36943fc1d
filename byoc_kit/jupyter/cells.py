"""Remembers what a run of a notebook cell left open, so that the next run of that cell can close it."""

from __future__ import annotations

from typing import Protocol


class Closable(Protocol):
    """Something that can be closed."""

    def close(self) -> None:
        """Close it."""
        ...


class OpenByCell:
    """Keeps what each cell opened. Several things that one run opened may stay open side by side.

    ``cell_and_run`` is what ``cell`` returns.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, list[Closable]]] = {}
        self._closed: dict[str, list[Closable]] = {}

    def close_earlier(self, cell_and_run: tuple[str, str]) -> None:
        """Close what an earlier run of this cell left open."""
        cell, run = cell_and_run
        earlier_run, opened = self._open.get(cell, (run, []))
        if earlier_run == run:
            return
        del self._open[cell]
        self._closed[cell] = opened
        for one in opened:
            one.close()

    def predecessor(self, cell_and_run: tuple[str, str]) -> Closable | None:
        """Close and return what the run before had opened in the place of the next thing that this run opens."""
        cell, run = cell_and_run
        _, opened = self._open.get(cell, (run, []))
        return next(iter(self._closed.get(cell, [])[len(opened) :]), None)

    def add(self, cell_and_run: tuple[str, str], opened: Closable) -> None:
        """Keep what this run of the cell opened."""
        cell, run = cell_and_run
        self._open.setdefault(cell, (run, []))[1].append(opened)
