"""What would keep a notebook from being exported. Nothing is run."""

from __future__ import annotations

from byoc_kit.notebook.capability import read_capability
from byoc_kit.notebook.findings import Finding, require_none
from byoc_kit.notebook.hooks import check_hooks
from byoc_kit.notebook.names import check_imports, check_names
from byoc_kit.notebook.read import TAG, Notebook
from byoc_kit.notebook.syntax import check_cells, check_module


def check(notebook: Notebook) -> list[Finding]:
    """Return what is wrong with a notebook; an empty list means that it can be exported.

    Each step needs what the one before it found in order: cells, then Python, then one module, then its names.
    """
    if not notebook.exported:
        hint = f"tag the cells that belong in the container `{TAG}` (right sidebar, property inspector, Cell Tags)"
        return [Finding("no-tagged-cell", notebook.name, "no code cell with something in it is tagged", hint)]
    findings = list(check_cells(notebook)) or list(check_module(notebook))
    if findings:
        return findings
    capability = read_capability(notebook)
    return [
        *check_hooks(notebook),
        *([capability] if isinstance(capability, Finding) else []),
        *check_imports(notebook),
        *check_names(notebook),
    ]


def require_exportable(notebook: Notebook) -> None:
    """Raise :class:`~byoc_kit.notebook.read.NotebookError` with one line a finding, if there are any."""
    require_none(check(notebook))
