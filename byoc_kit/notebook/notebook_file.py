"""Reads a notebook's file as values, its title and its cells, and writes it with no other change than is wanted."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError, one_line, printable
from byoc_kit.notebook.cell_source import harmless_lines, parse, parse_untagged, without_prompts
from byoc_kit.system.files import write_whole

TAG = "byoc"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what nbformat 4.5 allows
# What nbformat, JupyterLab and VS Code make up: hexadecimal, with hyphens or without; and Colab, from 64 characters.
_RANDOM_ID = re.compile(
    r"[0-9a-f]{8}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{12}"
)
_LONGEST_HEADING = 40
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")

_INDENT = re.compile(rb"^\{\r?\n([ \t]+)\S")


class NotebookError(ByocKitError):
    """A notebook that cannot be read or exported; the text names it and, where there is one, the cell."""


@dataclass(frozen=True)
class Cell:
    """One cell. ``number`` counts all cells from 1, as a reader does from the top; ``id`` is unique, or ``None``.

    ``heading`` is the Markdown heading above it, if it is the first code cell below that; the notebook's title does not
    count.
    """

    number: int
    kind: str
    source: str
    tags: frozenset[str]
    id: str | None = None
    heading: str = ""

    @cached_property
    def label(self) -> str:
        """What to call the cell, so that a reader finds it."""
        return f"cell {self.number} ({self.title})" if self.title else f"cell {self.number}"

    @cached_property
    def title(self) -> str:
        """The cell's id if a person wrote it, else its heading, else its first function, class or value; or empty."""
        own = self.id if self.id and not _RANDOM_ID.fullmatch(self.id) else ""
        return own or self.heading or self._first_definition

    @property
    def _first_definition(self) -> str:
        try:
            statements = self.tree.body if self.is_code else []
        except SyntaxError:
            return ""
        code, values = [], []
        for statement in statements:
            match statement:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    code.append(name)
                case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
                    values.append(name)
        return next(iter([*code, *values]), "")

    @property
    def is_code(self) -> bool:
        """Whether the cell holds code."""
        return self.kind == "code"

    @property
    def is_exported(self) -> bool:
        """Whether the cell goes into the container."""
        return self.is_code and TAG in self.tags and bool(self.source.strip())

    @cached_property
    def text(self) -> list[str]:
        """The source's lines as a reader sees them, without empty ones at its end.

        Not ``str.splitlines``, for which a form feed or U+2028 ends a line too: for Python neither does.
        """
        return _without_empty_end(self.source.split("\n"))

    @cached_property
    def lines(self) -> list[str]:
        """The lines as Python gets them: those of a code cell without common indentation and pasted prompts."""
        return _without_empty_end(without_prompts(self.text)) if self.is_code else self.text

    def taken_off(self, line: int) -> int:
        """Return how many characters of indentation and prompt a line begins with that Python does not get."""
        if not 0 < line <= len(self.lines):
            return 0
        return len(self.text[line - 1]) - len(self.lines[line - 1])

    @cached_property
    def dropped_lines(self) -> tuple[int, ...]:
        """The numbers of the lines that are magics without meaning in a container: they are not exported."""
        return harmless_lines(self.lines)

    @cached_property
    def python(self) -> str:
        """The source with those lines empty, so that all others keep their numbers."""
        dropped = set(self.dropped_lines)
        return "\n".join("" if number in dropped else line for number, line in enumerate(self.lines, 1))

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed cell. Raises ``SyntaxError`` for a tagged one that is not Python; others may be anything."""
        return parse(self.python) if self.is_exported else parse_untagged(self.lines)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree, as ``walk`` yields them: checks look at them some twenty times."""
        return list(ast.walk(self.tree))


@dataclass(frozen=True)
class Notebook:
    """What a notebook's file says. ``folder`` is where the file lies, if that is known.

    ``python`` is the version that the notebook was last run with.
    """

    name: str
    cells: tuple[Cell, ...]
    folder: Path | None = None
    python: str | None = None

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return Path(self.name).stem

    @property
    def exported(self) -> list[Cell]:
        """The code cells tagged ``byoc``, in order."""
        return [cell for cell in self.cells if cell.is_exported]

    @property
    def untagged(self) -> list[Cell]:
        """The code cells that stay in the notebook, in order."""
        return [cell for cell in self.cells if cell.is_code and not cell.is_exported]

    @cached_property
    def title(self) -> str:
        """The first Markdown heading, or the file's name."""
        return next((heading for cell in self.cells for heading in _headings(cell)), one_line(self.stem))


def _without_empty_end(lines: list[str]) -> list[str]:
    last = next((at for at in range(len(lines), 0, -1) if lines[at - 1].strip()), 0)
    return lines[:last]


def read_notebook(path: Path | str) -> Notebook:
    """Read a notebook file. Raises ``NotebookError`` if it is missing or not a notebook."""
    path = Path(path)
    raw = read_file(path)
    if path.suffix != ".ipynb" and not raw.lstrip().startswith(b"{"):
        msg = f"{printable(path.name)} is not a notebook; give the path of a notebook, a file that ends in .ipynb"
        raise NotebookError(msg)
    return parse_notebook(raw, name=path.name, folder=path.parent)


def read_file(path: Path) -> bytes:
    """Read a notebook's bytes. Raises ``NotebookError``."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        msg = f"there is no notebook {printable(str(path))}; give the path of an .ipynb file"
        raise NotebookError(msg) from None
    except OSError as error:
        msg = f"cannot read {printable(str(path))}: {error.strerror}; give the path of an .ipynb file that can be read"
        raise NotebookError(msg) from error
    except ValueError:  # a NUL character, or half a surrogate pair
        msg = f"{printable(str(path))} cannot be the name of a file; give the path of an .ipynb file"
        raise NotebookError(msg) from None


def parse_notebook(raw: bytes, *, name: str, folder: Path | None = None) -> Notebook:
    """Parse a notebook's bytes, the file of which lies in ``folder``. Raises ``NotebookError``."""
    shown = printable(name)
    try:
        document = json.loads(raw)
    except UnicodeDecodeError:
        msg = f"{shown} is not a text file; give the path of an .ipynb file"
        raise NotebookError(msg) from None
    except (ValueError, RecursionError) as error:
        msg = f"{shown} is not valid JSON ({error}); save the notebook again, or restore it"
        raise NotebookError(msg) from None
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        msg = f"{shown} is of an old format; convert it with `jupyter nbconvert --to notebook --inplace {shown}`"
        raise NotebookError(msg)
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        msg = f"{shown} is not a notebook: it has no list of cells; give an .ipynb file of nbformat 4"
        raise NotebookError(msg)
    ids = Counter(map(_id, document["cells"]))
    cells = tuple(_cell(number, raw_cell, name, ids) for number, raw_cell in enumerate(document["cells"], start=1))
    return Notebook(name=name, cells=_headed(cells), folder=folder, python=_python(document.get("metadata")))


def _headed(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Give the first code cell below each heading but the first, which is the notebook's title, that heading."""
    headed, heading, has_title = [], "", False
    for cell in cells:
        for found in _headings(cell):
            heading, has_title = (found if has_title else ""), True
        if not cell.is_code:
            headed.append(cell)
            continue
        headed.append(replace(cell, heading=_cut(heading)))
        heading = ""
    return tuple(headed)


def _headings(cell: Cell) -> Iterator[str]:
    lines = cell.lines if cell.kind == "markdown" else []
    headings = (one_line(found[1].rstrip(" \t#")) for line in lines if (found := _HEADING.fullmatch(line)))
    return filter(None, headings)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_HEADING else f"{text[:_LONGEST_HEADING].rstrip()} ..."


def _id(raw: Any) -> str | None:
    """Return a cell's id; ``None`` for one that is missing or not as it should be."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _python(metadata: Any) -> str | None:
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    version = language.get("version") if isinstance(language, dict) and language.get("name") == "python" else None
    return version if isinstance(version, str) else None


def _cell(number: int, raw: Any, name: str, ids: Counter[str | None]) -> Cell:
    source = raw.get("source", "") if isinstance(raw, dict) else None
    text = "".join(source) if isinstance(source, list) and all(isinstance(s, str) for s in source) else source
    if not isinstance(text, str):
        msg = f"{printable(name)}, cell {number} is malformed; save the notebook again, or restore it"
        raise NotebookError(msg)
    metadata = raw.get("metadata")
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    named = frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    own_id = _id(raw)
    kind = raw.get("cell_type")
    return Cell(number, kind if isinstance(kind, str) else "", source, named, own_id if ids[own_id] == 1 else None)


def dump_notebook(document: Any, before: bytes) -> str:
    """Return a notebook's JSON in the form that its file had: indentation, order of the keys, escapes, line ends.

    Raises ``NotebookError`` if it is nested too deeply to be written.
    """
    found = _INDENT.match(before)
    indent = found[1].decode() if found else (1 if b"\n" in before.strip() else None)
    try:
        text = json.dumps(document, indent=indent, ensure_ascii=before.isascii() and b"\\u" in before)
        if not _can_be_encoded(text):  # half a surrogate pair, which only an escape can say
            text = json.dumps(document, indent=indent)
    except RecursionError:
        msg = "the notebook is nested too deeply to be written; clear its outputs"
        raise NotebookError(msg) from None
    text += "\n" if before.endswith(b"\n") else ""
    return text.replace("\n", "\r\n") if b"\r\n" in before else text


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_notebook(path: Path, data: bytes, *, before: bytes | None = None) -> None:
    """Write a notebook's file: whole, or not at all.

    Raises ``NotebookError``, also where the file is not ``before`` any more: somebody has saved it since it was
    read, as JupyterLab does by itself.
    """
    try:
        if before is not None and path.read_bytes() != before:
            msg = f"{printable(str(path))} was saved by somebody else in the meantime, and is left so; try again"
            raise NotebookError(msg)
        write_whole(path, data)
    except OSError as error:
        msg = f"cannot write {printable(str(path))}: {error.strerror}; the notebook is as it was"
        raise NotebookError(msg) from error
