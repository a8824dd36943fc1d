"""``byoc-kit check --fix``: tag the cells that the tagged ones need, and no other. No source is touched."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from byoc_kit.errors import printable
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.names import bindings_in, free_names, untagged_cell
from byoc_kit.notebook.notebook_file import (
    TAG,
    Cell,
    NotebookError,
    dump_notebook,
    parse_notebook,
    read_file,
    write_notebook,
)


@dataclass(frozen=True)
class Fix:
    """The cells that were tagged, and the notebook's file before and after."""

    tagged: tuple[Cell, ...]
    before: str
    after: str

    def diff(self, path: str) -> str:
        """Return what changes in the file, as a terminal may have it."""
        before, after = (text.split("\n") for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", n=2, lineterm="")
        return "".join(f"{printable(line)}\n" for line in lines)


def fix(path: Path) -> Fix:
    """Tag what is missing in a notebook's file; it is not written where nothing is missing.

    Raises ``NotebookError`` if the file is not a notebook or cannot be written.
    """
    raw = read_file(path)
    notebook = parse_notebook(raw, name=path.name, folder=path.parent)
    numbers = missing_cells(Analysis(notebook))
    before = raw.decode(json.detect_encoding(raw), "surrogatepass")
    if not numbers:
        return Fix((), before, before)
    document = json.loads(raw)
    for number in numbers:
        metadata = document["cells"][number - 1].setdefault("metadata", {})
        tags = metadata.get("tags", []) if isinstance(metadata, dict) else None
        if not isinstance(tags, list):
            msg = f"{printable(path.name)}, cell {number} has no list of tags, but {type(tags).__name__}; remove it"
            raise NotebookError(msg)
        metadata["tags"] = [*tags, TAG]
    after = dump_notebook(document, raw)
    write_notebook(path, after.encode(), before=raw)
    return Fix(tuple(notebook.cells[number - 1] for number in numbers), before, after)


def missing_cells(analysis: Analysis) -> list[int]:
    """Return the numbers of the cells to tag: those that bind what the tagged ones use, and what these use in turn."""
    found: set[int] = set()
    while wanted := _wanted(analysis) - found:
        wanted |= _needed_by(analysis, wanted)
        found |= wanted
        notebook = analysis.notebook
        cells = (replace(c, tags=c.tags | {TAG}) if c.number in wanted else c for c in notebook.cells)
        analysis = Analysis(replace(notebook, cells=tuple(cells)))
    return sorted(found)


def _needed_by(analysis: Analysis, numbers: Iterable[int]) -> set[int]:
    """Return the untagged cells that untagged ones need, and what these need in turn.

    Checking the notebook anew for each step finds the same, but takes the square of the length of a chain of cells.
    """
    there = _names_in(analysis.cells)
    found: set[int] = set()
    wanted = set(numbers)
    while wanted:
        found |= wanted
        cells = [analysis.notebook.cells[number - 1] for number in wanted]
        there |= _names_in(cells)
        used = [(name, cell.number) for cell in cells for name in free_names(cell) - there]
        wanted = {number for name, user in used if (number := untagged_cell(analysis, name, above=user))} - found
    return found


def _names_in(cells: Iterable[Cell]) -> set[str]:
    cells = list(cells)
    nodes = (node for cell in cells for node in cell.nodes)
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return declared | {binding.name for binding in bindings_in(cells)}


def _wanted(analysis: Analysis) -> set[int]:
    if analysis.cells:
        return {finding.needs_cell for finding in check_notebook(analysis) if finding.needs_cell}
    cell = untagged_cell(analysis, "process_frame")
    return {cell} if cell else set()
