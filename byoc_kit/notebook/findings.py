"""What keeps a notebook from being exported, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from byoc_kit.notebook.read import NotebookError


@dataclass(frozen=True)
class Finding:
    """One fault: a stable code, where it is, what is wrong and what to do. Its text is one line."""

    code: str
    notebook: str
    message: str
    hint: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.notebook
        if self.cell is not None:
            place += f", cell {self.cell}"
        if self.line is not None:
            place += f", line {self.line}"
        return " ".join(f"{place}: {self.message}; {self.hint} [{self.code}]".splitlines())


def require_none(findings: Iterable[Finding]) -> None:
    """Raise :class:`NotebookError` with one line a finding, if there are any."""
    lines = list(map(str, findings))
    if lines:
        raise NotebookError("\n".join(lines))
