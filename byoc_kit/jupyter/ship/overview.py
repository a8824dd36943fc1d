"""What an export would contain, as values and as plain text: the cells, the findings, and the present bundle."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from byoc_kit.bundle.drift import why_stale
from byoc_kit.bundle.folders import bundle_folder, report_folder
from byoc_kit.bundle.manifest import PROCESSOR
from byoc_kit.core.bundle_reader import MANIFEST
from byoc_kit.core.capability import Capability
from byoc_kit.errors import one_line, printable
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.declarations import assets_of, read_capability
from byoc_kit.notebook.findings import Finding, Severity
from byoc_kit.notebook.fix import missing_cells
from byoc_kit.notebook.names import HOOKS, Binding, bindings_in
from byoc_kit.notebook.notebook_file import Cell, read_notebook
from byoc_kit.notebook.report import as_text
from byoc_kit.system.table import aligned

EXPORTER_NAMES = (*HOOKS, "Params", "capability")

_FIRST_LINE = 80

# When the notebook, the bundle, the report and each asset were written, in ns; ``None`` for a missing one.
Stamp = tuple[int | None, ...]
_HEADS = ("", "cell", "defines", "begins with")


class BundleState(StrEnum):
    """How the bundle's code compares with the notebook's."""

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
    def name(self) -> str:
        """The cell's number, and its title if that is not what it defines."""
        cell = self.cell
        return str(cell.number) if cell.title in self.defines else cell.label.removeprefix("cell ")

    @property
    def goes(self) -> bool:
        """Whether the cell is exported."""
        return self.cell.is_exported


@dataclass(frozen=True)
class Target:
    """Where the commands run, and the relative paths that they write; they choose these names themselves."""

    notebook: Path

    @property
    def folder(self) -> Path:
        """The notebook's folder."""
        return self.notebook.parent

    @property
    def bundle(self) -> Path:
        """The bundle's folder."""
        return bundle_folder(self.notebook, here=self.folder)

    @property
    def report(self) -> Path:
        """The file that verify writes."""
        return report_folder(self.folder / self.bundle, here=self.folder) / "report.html"


@dataclass(frozen=True)
class Overview:
    """The saved notebook, its bundle and its report.

    Findings are in the notebook's order, errors before warnings before notes. ``capability`` is empty if it cannot be
    read. ``stamp`` has the files' times when they were read. ``why_different`` says in one sentence how the bundle
    differs from the notebook. ``assets`` are the files beside the notebook that the cells declare. ``untagged`` has the
    numbers of the cells that ``check --fix`` tags.
    """

    target: Target
    title: str
    capability: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    stamp: Stamp
    bundle: BundleState
    why_different: str
    assets: tuple[Path, ...]
    untagged: tuple[int, ...] = ()

    @property
    def saved(self) -> datetime | None:
        """When the notebook was saved."""
        return _moment(self.stamp[0])

    @property
    def reported(self) -> datetime | None:
        """When verify last wrote its report, if there is one."""
        return _moment(self.stamp[1])

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


def read_stamp(target: Target, assets: Iterable[Path]) -> Stamp:
    """Return the files' times, which change when one of them is written."""
    bundle = target.folder / target.bundle
    others = (bundle / MANIFEST, bundle / PROCESSOR, *assets)
    return tuple(map(_written, (target.notebook, target.folder / target.report, *others)))


def read_overview(target: Target) -> Overview:
    """Read a notebook and the files beside it; nothing is run.

    Raises ``NotebookError`` if the file is missing or not a notebook.
    """
    saved = _written(target.notebook)  # before the rest, so that the next check sees what is saved meanwhile
    notebook = read_notebook(target.notebook)
    analysis = Analysis(notebook)
    assets, findings = _assets(analysis), check_notebook(analysis)
    stamp = (saved, *read_stamp(target, assets)[1:])
    bundle, why_different = _bundle_state(analysis, target.folder / target.bundle)
    return Overview(
        target=target,
        title=notebook.title,
        capability=_capability(analysis),
        rows=tuple(_row(cell) for cell in notebook.cells if cell.is_code and cell.source.strip()),
        findings=tuple(sorted(findings, key=lambda finding: list(Severity).index(finding.severity))),
        stamp=stamp,
        bundle=bundle,
        why_different=why_different,
        assets=assets,
        untagged=tuple(missing_cells(analysis)) if any(finding.is_error for finding in findings) else (),
    )


def _capability(analysis: Analysis) -> str:
    try:
        found = read_capability(analysis)
    except SyntaxError:  # check has a finding of it
        return ""
    return found.model_id if isinstance(found, Capability) else ""


def _assets(analysis: Analysis) -> tuple[Path, ...]:
    try:
        names = {use.name for use in assets_of(analysis) if not use.is_remote}
    except SyntaxError:  # check has a finding of it
        return ()
    return tuple((analysis.folder or Path()) / name for name in sorted(names))


def _row(cell: Cell) -> Row:
    first = next(line for line in cell.lines if line.strip())
    return Row(cell, _defined(cell) if cell.is_exported else (), one_line(first[:_FIRST_LINE]))


def _defined(cell: Cell) -> tuple[str, ...]:
    """Return the names that a tagged cell defines, without imports, and first those that the exporter looks for."""
    try:
        bound = bindings_in([cell])
    except SyntaxError:  # check has a finding of it
        return ()
    names = dict.fromkeys(binding.name for binding in bound if not _is_import(binding))
    return tuple(sorted(names, key=lambda name: name not in EXPORTER_NAMES))


def _is_import(binding: Binding) -> bool:
    return isinstance(binding.node, ast.Import | ast.ImportFrom)


def _bundle_state(analysis: Analysis, bundle: Path) -> tuple[BundleState, str]:
    """Return how the bundle compares with the notebook, and if it differs, why."""
    if not (bundle / MANIFEST).is_file():
        return BundleState.MISSING, ""
    if any(finding.is_error for finding in check_notebook(analysis)):
        return BundleState.DIFFERENT, "fix the errors first"
    why = why_stale(analysis, bundle)
    return (BundleState.DIFFERENT, why) if why else (BundleState.SAME, "")


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _moment(written_ns: int | None) -> datetime | None:
    return None if written_ns is None else datetime.fromtimestamp(written_ns / 1e9).astimezone()


def as_plain(overview: Overview) -> str:
    """Return the cells and the findings; the findings read as in ``byoc-kit check``."""
    head = f"{overview.title} goes to {printable(str(overview.target.bundle))}"
    if overview.capability:
        head += f" as {overview.capability}"
    table = "\n".join(aligned([_HEADS, *map(_cells, overview.rows)]))
    return f"{head}\n\n{table}\n\n{as_text(overview.findings, overview.name)}"


def _cells(row: Row) -> tuple[str, ...]:
    return "goes" if row.goes else "stays", row.name, ", ".join(row.defines), row.first_line
