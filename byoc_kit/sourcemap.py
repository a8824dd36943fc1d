"""Where a line of an exported module stands in its notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import TracebackType


@dataclass(frozen=True)
class CellSpan:
    """Lines of a module that are a cell's: ``lines`` of them from ``first_line`` on, from ``cell_line`` on in the cell.

    All count from 1, the cells as they stand in the notebook.
    """

    cell: int
    first_line: int
    lines: int
    cell_line: int = 1


@dataclass(frozen=True)
class SourceMap:
    """The cells of one exported module."""

    notebook: str
    cells: Sequence[CellSpan]

    def locate(self, line: int) -> str | None:
        """Name the notebook's cell and line for a line of the module; ``None`` for a line the exporter wrote."""
        for span in self.cells:
            offset = line - span.first_line
            if 0 <= offset < span.lines:
                return f"{self.notebook}, cell {span.cell}, line {span.cell_line + offset}"
        return None


def locate(
    trace: TracebackType | None, user_file: str, source_map: SourceMap | None = None, *, first_line: int | None = None
) -> str:
    """Name the innermost line of ``trace`` that is the user's own: cell and line where known, else file and line.

    Where none is, as for a wrong result, it is ``first_line``, that of the function.
    """
    lines = [number for frame, number in walk_tb(trace) if frame.f_code.co_filename == user_file]
    if not lines and first_line:
        lines = [first_line]
    if not lines:
        return Path(user_file).name
    in_notebook = source_map.locate(lines[-1]) if source_map else None
    return in_notebook or f"{Path(user_file).name}, line {lines[-1]}"
