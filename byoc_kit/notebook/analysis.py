"""What is known of a notebook's cells without running them: each part found once, by the module of its subject.

Parts are functions: ``bindings(analysis)`` is in ``names``, ``render_module(analysis)`` in ``module``. All but the
findings raise ``SyntaxError`` where a cell is not valid Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from byoc_kit.notebook.notebook_file import Cell, Notebook

T = TypeVar("T")


class Analysis:
    """A notebook, those of its cells that are looked at, and the parts that were found of them so far.

    The cells are the tagged ones where none are given. Nothing is found before it is asked for.
    """

    def __init__(self, notebook: Notebook, cells: Sequence[Cell] | None = None) -> None:
        self.notebook = notebook
        self.name = notebook.name
        self.folder: Path | None = notebook.folder
        self.cells = notebook.exported if cells is None else list(cells)
        self.found: dict[object, Any] = {}


def part(find: Callable[[Analysis], T]) -> Callable[[Analysis], T]:
    """Make a function find its part of an analysis once. What raises is tried again."""

    @wraps(find)
    def find_once(analysis: Analysis) -> T:
        if find not in analysis.found:
            analysis.found[find] = find(analysis)
        found: T = analysis.found[find]
        return found

    return find_once
