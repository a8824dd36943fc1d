"""Finds the notebook's cell and line for a line of an exported module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sysconfig import get_paths
from traceback import FrameSummary, StackSummary, walk_tb
from types import TracebackType


@dataclass(frozen=True)
class CellSpan:
    """The lines of a module that come from one cell: ``lines`` lines from ``first_line`` on.

    In the cell they begin at ``cell_line``. All numbers count from 1; cells are counted as in the notebook.
    """

    cell: int
    first_line: int
    lines: int
    cell_line: int = 1


@dataclass(frozen=True)
class SourceMap:
    """The cells of one exported module.

    ``text`` has the module's lines as they were loaded: its file may have been replaced by a newer version since.
    """

    notebook: str
    cells: Sequence[CellSpan]
    text: Sequence[str] = ()

    def locate(self, line: int) -> str | None:
        """Return the notebook's cell and line for a line of the module; ``None`` for a line that the exporter wrote."""
        for span in self.cells:
            offset = line - span.first_line
            if 0 <= offset < span.lines:
                return f"{self.notebook}, cell {span.cell}, line {span.cell_line + offset}"
        return None

    def line(self, line: int) -> str | None:
        """Return a line of the module as it was loaded; ``None`` if that is not known."""
        return self.text[line - 1].strip() if 0 < line <= len(self.text) else None

    def locate_in(self, file: str, line: int) -> str | None:
        """Return the cell and line for a line of another file than the module; ``None`` for an ordinary file."""
        del file, line
        return None


def locate(
    trace: TracebackType | None, user_file: str, source_map: SourceMap | None = None, *, first_line: int | None = None
) -> str:
    """Return the innermost line of ``trace`` that is in the user's file: cell and line if known, else file and line.

    If there is none, as for a wrong result, this is ``first_line``.
    """
    lines = [number for frame, number in walk_tb(trace) if frame.f_code.co_filename == user_file]
    if not lines and first_line:
        lines = [first_line]
    if not lines:
        return Path(user_file).name
    in_notebook = source_map.locate(lines[-1]) if source_map else None
    return in_notebook or f"{Path(user_file).name}, line {lines[-1]}"


def user_trace(
    trace: TracebackType | None,
    user_file: str,
    source_map: SourceMap | None = None,
    *,
    returned_at: FrameSummary | None = None,
) -> str:
    """Return the lines of ``trace`` that are the user's own, outermost first, as Python prints them.

    Each begins with its cell and line if known, else with its file and line. Lines of libraries and of this kit are
    left out. If there is none, as for a wrong result, the line ``returned_at`` is shown.
    """
    steps = [step for step in StackSummary.extract(walk_tb(trace)) if _is_users(step.filename)]
    if not steps and returned_at is not None and _is_users(returned_at.filename):
        steps = [returned_at]
    lines = []
    for step in steps:
        place, text = f"{Path(step.filename).name}, line {step.lineno}", None
        if source_map is not None and step.lineno is not None:
            is_module = step.filename == user_file
            known = source_map.locate(step.lineno) if is_module else source_map.locate_in(step.filename, step.lineno)
            place, text = known or place, source_map.line(step.lineno) if is_module else None
        lines.append(f"{place}, in {step.name}")
        if text := text or step.line:
            lines.append(f"    {text}")
    return "\n".join(lines)


@cache
def _is_users(file: str) -> bool:
    paths = get_paths()
    installed = [Path(__file__).parents[1], *(Path(paths[name]) for name in ("stdlib", "purelib", "platlib"))]
    return not file.startswith("<") and not any(folder in Path(file).parents for folder in installed)
