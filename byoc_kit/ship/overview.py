"""What would be exported, as values: the cells, the findings, and what stands in the bundle's folder already."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from byoc_kit.bundle.load import MANIFEST
from byoc_kit.capability import Capability
from byoc_kit.notebook.analysis import Analysis, analyse
from byoc_kit.notebook.codes import Severity
from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.hooks import HOOKS
from byoc_kit.notebook.names import Binding, bindings
from byoc_kit.notebook.read import Cell, read_notebook
from byoc_kit.notebook.text import one_line

EXPORTER_NAMES = (*HOOKS, "Params", "capability")

_FIRST_LINE = 80

# When the notebook, the bundle's manifest and the report were written, in ns; ``None`` for what is not there.
Stamp = tuple[int | None, int | None, int | None]


class BundleState(StrEnum):
    """How the bundle's code stands to that of the notebook."""

    MISSING = "missing"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Row:
    """One code cell: whether it goes into the container, what it defines there, and how it begins."""

    cell: Cell
    defines: tuple[str, ...]
    first_line: str

    @property
    def goes(self) -> bool:
        """Whether the cell is exported."""
        return self.cell.is_exported


@dataclass(frozen=True)
class Target:
    """Where the commands run, and where they write, relative to there; the names are those that they choose."""

    notebook: Path

    @property
    def folder(self) -> Path:
        """The notebook's folder."""
        return self.notebook.parent

    @property
    def bundle(self) -> Path:
        """The bundle's folder."""
        return Path("export") / self.notebook.stem

    @property
    def report(self) -> Path:
        """The file that verify writes."""
        return Path("reports") / self.notebook.stem / "report.html"


@dataclass(frozen=True)
class Overview:
    """A notebook as it was saved, and what there is of it beside it.

    Findings are in the notebook's order, errors before warnings before notes. ``capability`` is empty where it cannot
    be read; ``stamp`` is that of the files when they were
    read.
    """

    target: Target
    title: str
    capability: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    stamp: Stamp
    bundle: BundleState

    @property
    def saved(self) -> datetime | None:
        """When the notebook was saved."""
        return _moment(self.stamp[0])

    @property
    def reported(self) -> datetime | None:
        """When verify last wrote its report, if there is one."""
        return _moment(self.stamp[2])

    @property
    def name(self) -> str:
        """The notebook's file name."""
        return self.target.notebook.name

    @property
    def errors(self) -> int:
        """How many findings keep the notebook from being exported."""
        return sum(finding.is_error for finding in self.findings)

    @property
    def going(self) -> list[Row]:
        """The cells that are exported."""
        return [row for row in self.rows if row.goes]


def read_stamp(target: Target) -> Stamp:
    """Return what changes when one of the files is written."""
    folder = target.folder
    return _written(target.notebook), _written(folder / target.bundle / MANIFEST), _written(folder / target.report)


def read_overview(target: Target) -> Overview:
    """Read a notebook and what lies beside it; nothing is run.

    Raises :class:`~byoc_kit.notebook.read.NotebookError` if it is missing or no notebook.
    """
    stamp = read_stamp(target)  # before the rest: what is saved meanwhile is seen at the next look
    notebook = read_notebook(target.notebook)
    analysis = analyse(notebook)
    return Overview(
        target=target,
        title=notebook.title,
        capability=_capability(analysis),
        rows=tuple(_row(cell) for cell in notebook.cells if cell.is_code and cell.source.strip()),
        findings=tuple(sorted(analysis.findings, key=lambda finding: list(Severity).index(finding.severity))),
        stamp=stamp,
        bundle=_bundle_state(analysis, target),
    )


def _capability(analysis: Analysis) -> str:
    try:
        found = analysis.capability
    except SyntaxError:  # check has a finding of it
        return ""
    return found.model_id if isinstance(found, Capability) else ""


def _row(cell: Cell) -> Row:
    first = next(line for line in cell.lines if line.strip())
    return Row(cell, _defined(cell) if cell.is_exported else (), one_line(first[:_FIRST_LINE]))


def _defined(cell: Cell) -> tuple[str, ...]:
    """Return what a tagged cell binds, imports left out, those names first that the exporter looks for."""
    try:
        bound = bindings([cell])
    except SyntaxError:  # check has a finding of it
        return ()
    names = dict.fromkeys(binding.name for binding in bound if not _is_import(binding))
    return tuple(sorted(names, key=lambda name: name not in EXPORTER_NAMES))


def _is_import(binding: Binding) -> bool:
    return isinstance(binding.node, ast.Import | ast.ImportFrom)


def _bundle_state(analysis: Analysis, target: Target) -> BundleState:
    bundle = target.folder / target.bundle
    if not (bundle / MANIFEST).is_file():
        return BundleState.MISSING
    if any(finding.is_error for finding in analysis.findings):
        return BundleState.DIFFERENT
    try:
        is_same = (bundle / "processor.py").read_text() == analysis.module.source
    except (OSError, UnicodeDecodeError):  # somebody took it apart; what reads the bundle says so
        is_same = False
    return BundleState.SAME if is_same else BundleState.DIFFERENT


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _moment(written_ns: int | None) -> datetime | None:
    return None if written_ns is None else datetime.fromtimestamp(written_ns / 1e9).astimezone()
