"""What is wrong with a notebook, as values, each of a rule. Codes are stable: scripts and comments name them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from byoc_kit.errors import printable
from byoc_kit.notebook.notebook_file import Cell, NotebookError


class Severity(StrEnum):
    """How bad a finding is: an error stops the export, a warning and a note are only said."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """A kind of finding, as ``byoc-kit check --explain CODE`` and ``docs/findings.md`` say it.

    ``example`` breaks the rule in a notebook beside ``files``. It is the text of one tagged cell, or of several cells,
    each below a line ``# %% byoc`` where it is tagged, else ``# %%``. It is empty where no cell shows it.

    An ignorable rule is about what the code does when it runs, of which its author may know more. ``check --fix``
    corrects what is fixable. What is said once needs one change, wherever it is found.
    """

    code: str
    severity: Severity
    about: str
    why: str
    example: str = ""
    files: tuple[str, ...] = ()
    ignorable: bool = False
    fixable: bool = False
    is_said_once: bool = False


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
    """One fault: the rule, what is wrong, what to do, and where. Its text is one line.

    ``needs_cell`` is the number of the cell to tag, where that is the remedy.
    """

    rule: Rule
    notebook: str
    message: str
    hint: str
    place: Place | None = None
    needs_cell: int | None = None

    @property
    def code(self) -> str:
        """The code of the rule."""
        return self.rule.code

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.rule.severity

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
