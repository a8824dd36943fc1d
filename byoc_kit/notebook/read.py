"""A notebook file as values: its title and its cells."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError

TAG = "byoc"

_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t#]*")


class NotebookError(ByocKitError):
    """A notebook that cannot be read or exported; the text names it and, where there is one, the cell."""


@dataclass(frozen=True)
class Cell:
    """One cell. ``number`` counts all cells from 1, as a reader does from the top."""

    number: int
    kind: str
    source: str
    tags: frozenset[str]

    @property
    def is_code(self) -> bool:
        """Whether the cell holds code."""
        return self.kind == "code"

    @property
    def is_exported(self) -> bool:
        """Whether the cell goes into the container."""
        return self.is_code and TAG in self.tags and bool(self.source.strip())

    @property
    def lines(self) -> list[str]:
        """The source's lines, without empty ones at its end.

        Not ``str.splitlines``, for which a form feed or U+2028 ends a line too: for Python neither does.
        """
        lines = self.source.split("\n")
        while lines and not lines[-1].strip():
            lines.pop()
        return lines


@dataclass(frozen=True)
class Notebook:
    """A notebook as it stands in its file."""

    name: str
    cells: tuple[Cell, ...]
    sha256: str

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return Path(self.name).stem

    @property
    def exported(self) -> list[Cell]:
        """The code cells tagged ``byoc``, in order."""
        return [cell for cell in self.cells if cell.is_exported]

    @cached_property
    def title(self) -> str:
        """The first Markdown heading, or the file's name."""
        lines = (line for cell in self.cells if cell.kind == "markdown" for line in cell.lines)
        headings = (one_line(found[1]) for line in lines if (found := _HEADING.fullmatch(line)))
        return next(filter(None, headings), one_line(self.stem))


def read_notebook(path: Path | str) -> Notebook:
    """Read a notebook file. Raises :class:`NotebookError` if it is missing or no notebook."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        msg = f"there is no notebook {path}; give the path of an .ipynb file"
        raise NotebookError(msg) from None
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise NotebookError(msg) from error
    return parse_notebook(raw, name=path.name)


def parse_notebook(raw: bytes, *, name: str) -> Notebook:
    """Parse a notebook's bytes. Raises :class:`NotebookError`."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        msg = f"{name} is no valid JSON ({error}); save the notebook again, or restore it"
        raise NotebookError(msg) from None
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        msg = f"{name} is of an old format; convert it with `jupyter nbconvert --to notebook --inplace {name}`"
        raise NotebookError(msg)
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        msg = f"{name} is no notebook: it has no list of cells; give an .ipynb file of nbformat 4"
        raise NotebookError(msg)
    cells = tuple(_cell(number, raw_cell, name) for number, raw_cell in enumerate(document["cells"], start=1))
    return Notebook(name=name, cells=cells, sha256=hashlib.sha256(raw).hexdigest())


def one_line(text: str) -> str:
    """Return a text as one line of printable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cell(number: int, raw: Any, name: str) -> Cell:
    source = raw.get("source", "") if isinstance(raw, dict) else None
    text = "".join(source) if isinstance(source, list) and all(isinstance(s, str) for s in source) else source
    if not isinstance(text, str):
        msg = f"{name}, cell {number} is malformed; save the notebook again, or restore it"
        raise NotebookError(msg)
    metadata = raw.get("metadata")
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    named = frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
    return Cell(number, str(raw.get("cell_type")), text.replace("\r\n", "\n").replace("\r", "\n"), named)
