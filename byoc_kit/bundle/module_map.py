"""``processor.map.json``: maps the lines of ``processor.py`` to the notebook's lines, and back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from byoc_kit.core.bundle_reader import MAP, BundleError
from byoc_kit.errors import printable
from byoc_kit.notebook.module import MARKER, Module, marker
from byoc_kit.notebook.notebook_file import Notebook

_END_OF_DOCSTRING = '"""'


@dataclass(frozen=True)
class ExportedCell:
    """A tagged cell as it was exported: its marker in the module, and the hashes of its source and of its part there.

    A cell with nothing but imports has no part of its own.
    """

    cell: int
    id: str | None
    marker: str
    source_sha256: str
    section_sha256: str | None

    @property
    def label(self) -> str:
        """The cell's name in messages."""
        return self.marker.removeprefix(f"{MARKER} ")


@dataclass(frozen=True)
class Exported:
    """A module as it was exported, by the hashes of its parts."""

    own_sha256: str
    imports_sha256: str
    cells: tuple[ExportedCell, ...]

    @property
    def markers(self) -> list[str]:
        """The markers that the module has."""
        return [cell.marker for cell in self.cells if cell.section_sha256]


def as_exported(notebook: Notebook, module: Module) -> Exported:
    """Return the parts of a module that was just rendered; a cell's line may look like a marker without being one."""
    lines = module.source.split("\n")
    sections = {
        section.cell: (section.first_line - 1, section.first_line - 1 + len(section.kept))
        for section in module.sections
    }
    cells = []
    for cell in notebook.exported:
        section = _hash(lines, *sections[cell]) if cell in sections else None
        cells.append(ExportedCell(cell.number, cell.id, marker(cell), text_sha256(cell.source), section))
    first = module.imports[0] - 1
    after_imports = first + module.imports[1]
    end = lines.index(MARKER, max([after_imports, *(end for _, end in sections.values())]))
    own = text_sha256("\n".join([*lines[: first - 1], *lines[end:]]))
    return Exported(own, _hash(lines, first, after_imports), tuple(cells))


def _hash(lines: Sequence[str], begin: int, end: int) -> str:
    return text_sha256("\n".join(lines[begin:end]))


def render_map(notebook: Notebook, module: Module) -> str:
    """Render the map, with one line for each cell and each run of lines."""
    exported = as_exported(notebook, module)
    runs = [[span.first_line, span.lines, span.cell, span.cell_line] for span in module.spans]
    return (
        "{\n"
        f'  "notebook": {json.dumps(notebook.name)},\n'
        f'  "own_sha256": {json.dumps(exported.own_sha256)},\n'
        f'  "imports_sha256": {json.dumps(exported.imports_sha256)},\n'
        f'  "cells": {_one_a_line([asdict(cell) for cell in exported.cells])},\n'
        f'  "lines": {_one_a_line(runs)}\n'
        "}\n"
    )


def read_exported(bundle: Path) -> Exported:
    """Read how a bundle's module was exported. Raises ``BundleError`` if the map is missing or damaged."""
    try:
        content = json.loads((bundle / MAP).read_bytes())
        cells = tuple(ExportedCell(**cell) for cell in content["cells"])
        return Exported(content["own_sha256"], content["imports_sha256"], cells)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = (
            f"{printable(str(bundle / MAP))} is missing or damaged ({type(error).__name__}); export the notebook again"
        )
        raise BundleError(msg) from None


def text_sha256(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _one_a_line(values: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(f"    {json.dumps(value)}" for value in values) + "\n  ]"


@dataclass(frozen=True)
class Parts:
    """``own`` is the docstring and the class at the end; ``sections`` has each cell's text by its marker."""

    own: str
    imports: str
    sections: dict[str, str]


def split_module(source: str, markers: Sequence[str]) -> Parts:
    """Split a module at its markers.

    Raises ``BundleError`` if a marker is gone or there twice, or if the order of markers has changed.
    """
    lines = source.split("\n")
    counts = Counter(lines)
    begin = _find(lines, _END_OF_DOCSTRING, 1) + 1
    starts, at = [], begin
    for wanted in markers:
        at = _find(lines, wanted, at) + 1
        if counts[wanted] > 1:
            msg = (
                f"the line `{wanted}` is in processor.py twice; take it out of the cell, and export the notebook again"
            )
            raise BundleError(msg)
        starts.append(at)
    after_last = len(lines) - 1 - _find(lines[: at - 1 : -1], MARKER, 0)  # cells may also have such a line
    starts.append(after_last + 1)
    ends = [start - 1 for start in starts[1:]]
    sections = {m: _trimmed(lines[s:e]) for m, s, e in zip(markers, starts, ends, strict=False)}
    own = "\n".join([*lines[:begin], *lines[starts[-1] - 1 :]])
    return Parts(own, _trimmed(lines[begin : starts[0] - 1]), sections)


def _find(lines: Sequence[str], wanted: str, begin: int) -> int:
    try:
        return lines.index(wanted, begin)
    except ValueError:
        msg = f"the line `{wanted}` is gone from processor.py; put it back, or export the notebook again"
        raise BundleError(msg) from None


def _trimmed(lines: Sequence[str]) -> str:
    """Join lines without the empty ones at both ends."""
    kept = list(lines)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)
