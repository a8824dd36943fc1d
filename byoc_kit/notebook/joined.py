"""The tagged cells as one module, as the exporter will join them."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from byoc_kit.notebook.magics import python_of
from byoc_kit.notebook.parse import parse, unparse
from byoc_kit.notebook.read import Cell

# The exported module begins with one, so that a cell's own is no docstring any more.
_DOCSTRING = '"""The exporter\'s own."""'


@dataclass(frozen=True)
class Joined:
    """One text, and for each cell the line before its first."""

    source: str
    cells: Sequence[tuple[Cell, int]]

    def locate(self, line: int) -> tuple[Cell, int]:
        """Return the cell of a line, and the line's number in it."""
        at = bisect_left(self.cells, line, key=lambda item: item[1])
        cell, before = self.cells[max(at - 1, 0)]
        return cell, min(max(line - before, 1), max(len(cell.lines), 1))


def join(cells: Sequence[Cell]) -> Joined:
    """Join cells, an empty line after each: a backslash at a cell's end continues into nothing.

    What the first one imports ``from __future__`` goes to the top; a docstring may stand above it in the cell.
    """
    first = python_of(cells[0]).split("\n")
    future = [node for node in parse("\n".join(first)).body if is_future(node)]
    for node in future:
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            first[line - 1] = ""
    lines, starts = ["; ".join([_DOCSTRING, *map(unparse, future)])], []
    for number, cell in enumerate(cells):
        starts.append((cell, len(lines)))
        lines += [*(python_of(cell).split("\n") if number else first), ""]
    return Joined("\n".join(lines) + "\n", starts)


def is_future(node: ast.AST) -> bool:
    """Whether a statement is a ``from __future__ import``."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
