"""``processor.map.json``: which line of ``processor.py`` is which of the notebook's, and what both were then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.bundle.load import MAP
from byoc_kit.bundle.module import Module, marker
from byoc_kit.errors import ByocKitError
from byoc_kit.notebook.read import Notebook


@dataclass(frozen=True)
class ExportedCell:
    """A cell as it was exported: its marker in the module, and the hashes of its source and of its part there."""

    cell: int
    id: str | None
    marker: str
    source_sha256: str
    section_sha256: str | None


def exported_cells(notebook: Notebook, module: Module) -> list[ExportedCell]:
    """Return the tagged cells as they stand in a module; one of which only imports are left has no part of its own."""
    parts = {section.cell: text for section, text in zip(module.sections, _texts(module), strict=True)}
    return [
        ExportedCell(
            cell.number,
            cell.id,
            marker(cell),
            sha256_of(cell.source),
            sha256_of(parts[cell]) if cell in parts else None,
        )
        for cell in notebook.exported
    ]


def render_map(notebook: Notebook, module: Module) -> str:
    """Render the map, a line a cell and a line a run of lines."""
    runs = [[span.first_line, span.lines, span.cell, span.cell_line] for span in module.spans]
    cells = [vars(cell) for cell in exported_cells(notebook, module)]
    return (
        "{\n"
        f'  "notebook": {json.dumps(notebook.name)},\n'
        f'  "imports_sha256": {json.dumps(sha256_of(imports_text(module)))},\n'
        f'  "cells": {_one_a_line(cells)},\n'
        f'  "lines": {_one_a_line(runs)}\n'
        "}\n"
    )


def read_exported(bundle: Path) -> tuple[str, list[ExportedCell]]:
    """Read the hash of the imports, and the cells. Raises :class:`ByocKitError` for a map that is damaged."""
    try:
        content = json.loads((bundle / MAP).read_bytes())
        return str(content["imports_sha256"]), [ExportedCell(**cell) for cell in content["cells"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{bundle / MAP} is missing or damaged ({type(error).__name__}); export the notebook again"
        raise ByocKitError(msg) from None


def imports_text(module: Module) -> str:
    """Return the module's block of imports."""
    first, count = module.imports
    return "\n".join(module.source.split("\n")[first - 1 : first - 1 + count])


def sha256_of(text: str) -> str:
    """Return a text's hash; half a surrogate pair, which no UTF-8 has, counts as it is."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _texts(module: Module) -> list[str]:
    lines = module.source.split("\n")
    return ["\n".join(lines[s.first_line - 1 : s.first_line - 1 + len(s.kept)]) for s in module.sections]


def _one_a_line(values: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(f"    {json.dumps(value)}" for value in values) + "\n  ]"
