"""What is wrong with a notebook, as values, and the codes of it. Codes are stable: scripts and comments name them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from byoc_kit.notebook.notebook_file import Cell, NotebookError
from byoc_kit.system.text import printable


class Severity(StrEnum):
    """How bad a finding is: an error stops the export, a warning and a note are only said."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Code:
    """A kind of finding: its severity, and in one sentence what it is about."""

    severity: Severity
    about: str


_ERRORS = {
    "absolute-path": "a tagged cell reads a file by a path of this machine, which no container has",
    "ambiguous-module": "several installed distributions provide the module, and the code does not say which",
    "asset-not-literal": "asset() is not given a literal, and the exporter does not run the notebook",
    "asset-path": "an asset lies outside the notebook's folder, which is all that the exporter copies from",
    "capability": "capability is no call of Capability with literals",
    "future-import": "`from __future__` must be the first statement of the module",
    "hidden-params": "a decorator hides from the server that a hook takes params",
    "hook-annotation": "a hook says that it takes or returns what the server neither gives nor takes",
    "hook-signature": "a hook cannot be called as the server calls it",
    "magic": "a line is IPython, not Python",
    "missing-asset": "the file of an asset is not there",
    "missing-module": "no installed distribution provides an imported module",
    "missing-name": "an installed module does not have the name that is taken from it",
    "no-capability": "no tagged cell says what the container offers",
    "no-process-frame": "no tagged cell defines process_frame",
    "no-tagged-cell": "nothing is tagged for the export",
    "notebook-only": "a tagged cell uses what only a notebook has",
    "params-class": "the parameters are of a class that is not made from byoc_kit.Params",
    "params-default": "a field of the parameters has no default, or one that does not fit it, so no stream can start",
    "relative-import": "an exported module has no package around it",
    "reserved-name": "a name is taken that the exported module needs",
    "reserved-param": "a parameter has a name that clients' messages use for something else",
    "secret": "a literal looks like a password or a key, and an image is no place for one",
    "shadowed-hook": "a hook is bound a second time",
    "shadowed-module": "a file beside the notebook is imported in place of a module of the same name",
    "shared-state": "process_frame changes what several streams would share",
    "star-import": "`import *` hides which names there are",
    "syntax-error": "a tagged cell is no Python",
    "top-level-await": "`await` outside a function works in a notebook only",
    "undeclared-file": "a tagged cell reads a file that is no declared asset, so the container does not have it",
    "undefined-name": "a name is used that nothing defines",
    "unknown-param": "params is asked for a field that its class does not have",
    "untagged-name": "a name is defined only in a cell that is not tagged",
    "used-before-definition": "a name is used in a cell above its definition",
}
_WARNINGS = {
    "download": "a tagged cell fetches something over the network when the container starts",
    "file-beside": "a library is given the name of a file beside the notebook, which is no declared asset",
    "growing-state": "each frame makes a list or dictionary of the module longer, until the memory is full",
    "hook-name": "a function that nothing calls is named nearly like a hook, so the server does not call it",
    "kept-frame": "process_frame keeps what it makes of a frame, and no stream sets it back",
    "needs-gpu": "a tagged cell puts something on a GPU, and does not look whether there is one",
    "params-schema": "the parameters' class cannot be read without running it, so the bundle has no schema of them",
    "pickle": "loading a pickle may run code that is in it",
    "python-version": "the notebook was run with another Python than the container's",
    "rebound-name": "a cell without the tag binds a name anew, so that notebook and bundle have different values",
    "untagged-hook": "only a cell without the tag defines a hook: the preview calls it, the container does not",
    "unused-ignore": "a comment `# byoc: ignore[...]` names what is not found in its line, or cannot be ignored",
}
_NOTES = {
    "dropped-magic": "a magic that changes nothing in a container is left out",
}

CODES = {
    code: Code(severity, about)
    for severity, codes in ((Severity.ERROR, _ERRORS), (Severity.WARNING, _WARNINGS), (Severity.NOTE, _NOTES))
    for code, about in codes.items()
}

# About what the code does when it runs, of which its author may know more. Without the others there is no export.
IGNORABLE = frozenset(
    {
        "absolute-path",
        "download",
        "file-beside",
        "growing-state",
        "hidden-params",
        "hook-name",
        "kept-frame",
        "missing-module",
        "missing-name",
        "needs-gpu",
        "notebook-only",
        "pickle",
        "rebound-name",
        "secret",
        "shared-state",
        "undeclared-file",
        "undefined-name",
        "unknown-param",
        "untagged-name",
        "used-before-definition",
    }
)


@dataclass(frozen=True)
class Place:
    """Where in a notebook: a cell, and in it a line and a stretch of it.

    Lines and columns count from 1, columns in characters of the notebook's own text; ``end_column`` is that behind the
    last character.
    """

    cell: Cell
    line: int | None = None
    column: int | None = None
    end_column: int | None = None

    @classmethod
    def of(cls, cell: Cell, node: ast.AST) -> Place:
        """Return the place of a node of the cell's tree: its whole first line where it has several."""
        line: int = getattr(node, "lineno", 1)
        end = getattr(node, "end_col_offset", None) if getattr(node, "end_lineno", None) == line else None
        return cls.at(cell, line, getattr(node, "col_offset", None), end)

    @classmethod
    def at(cls, cell: Cell, line: int, offset: int | None = None, end_offset: int | None = None) -> Place:
        """Return the place at Python's own offsets, which count the bytes of UTF-8 from 0."""
        raw = cell.lines[line - 1].encode(errors="surrogatepass") if line <= len(cell.lines) else b""

        def column(count: int | None) -> int | None:
            return None if count is None else len(raw[:count].decode(errors="ignore")) + 1

        return cls.in_code(cell, line, column(offset), column(end_offset))

    @classmethod
    def in_code(cls, cell: Cell, line: int, column: int | None = None, end_column: int | None = None) -> Place:
        """Return the place of a stretch of ``lines``, which may have lost its beginning."""
        before = cell.taken_off(line)
        return cls(
            cell,
            line,
            None if column is None else column + before,
            None if end_column is None else end_column + before,
        )


@dataclass(frozen=True)
class Finding:
    """One fault: a stable code, what is wrong, what to do, and where. Its text is one line.

    ``needs_cell`` is the number of the cell that would mend it if it were tagged.
    """

    code: str
    notebook: str
    message: str
    hint: str
    place: Place | None = None
    needs_cell: int | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return CODES[self.code].severity

    @property
    def is_error(self) -> bool:
        """Whether it stops the export."""
        return self.severity is Severity.ERROR

    @property
    def cell(self) -> int | None:
        """The number of the cell, from 1."""
        return self.place.cell.number if self.place else None

    @property
    def line(self) -> int | None:
        """The line in the cell, from 1."""
        return self.place.line if self.place else None

    def __str__(self) -> str:
        where = self.notebook
        if self.cell is not None:
            where += f", cell {self.cell}"
        if self.line is not None:
            where += f", line {self.line}"
        return printable(f"{where}: {self.message}; {self.hint} [{self.code}]")


def require_no_error(findings: Iterable[Finding]) -> None:
    """Raise ``NotebookError`` with one line an error, if there are any."""
    lines = [str(finding) for finding in findings if finding.is_error]
    if lines:
        raise NotebookError("\n".join(lines))
