"""What is wrong with a notebook that is to be exported. Nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from byoc_kit.notebook.assets import check_assets
from byoc_kit.notebook.decorators import check_decorators
from byoc_kit.notebook.downloads import check_downloads
from byoc_kit.notebook.files import check_files
from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.gpu import check_gpu
from byoc_kit.notebook.hooks import check_hooks
from byoc_kit.notebook.ignored import check_ignored, ignored
from byoc_kit.notebook.kept_frames import check_kept_frames
from byoc_kit.notebook.module_names import check_module_names
from byoc_kit.notebook.modules import check_modules, check_python
from byoc_kit.notebook.names import check_imports, check_names
from byoc_kit.notebook.notebook_only import check_notebook_only
from byoc_kit.notebook.params import check_params
from byoc_kit.notebook.pickles import check_pickles
from byoc_kit.notebook.read import TAG
from byoc_kit.notebook.rebound import check_rebound
from byoc_kit.notebook.secrets import check_secrets
from byoc_kit.notebook.state import check_shared_state
from byoc_kit.notebook.syntax import check_cells, check_module

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

_Check: TypeAlias = "Callable[[Analysis], Iterator[Finding]]"


def check(analysis: Analysis) -> list[Finding]:
    """Return what is wrong with a notebook, in its order; it can be exported where none is an error.

    Each step needs what the one before it found in order: cells, then Python, then one module, then what it says. What
    a comment lets pass, :mod:`~byoc_kit.notebook.ignored`, is left out.
    """
    if not analysis.exported:
        hint = f"tag the cells that belong in the container `{TAG}` (right sidebar, property inspector, Cell Tags)"
        near = {tag for cell in analysis.notebook.cells for tag in cell.tags if tag.strip().lower() == TAG}
        if near and near != {TAG}:
            hint = f"the tag is `{TAG}`, written so; there is `{min(near)}`"
        return [Finding("no-tagged-cell", analysis.name, "no code cell with something in it is tagged", hint)]
    named = ignored(analysis)
    found: list[Finding] = []
    findings: list[Finding] = []
    for step in _STEPS:
        if any(finding.is_error for finding in findings):
            break
        found += (finding for check_one in step for finding in check_one(analysis))
        findings = [finding for finding in found if not any(one.covers(finding) for one in named)]
    else:
        findings += check_ignored(analysis, named, found)
    return sorted(_said_once(findings), key=_position)


def _check_capability(analysis: Analysis) -> Iterator[Finding]:
    if isinstance(analysis.capability, Finding):
        yield analysis.capability


def _said_once(findings: list[Finding]) -> list[Finding]:
    """Leave out what says again what was said of another line, where one change mends both."""
    said: dict[object, Finding] = {}
    for finding in findings:
        said.setdefault((finding.code, finding.message) if finding.code in _OF_THE_WHOLE else finding, finding)
    return list(said.values())


_OF_THE_WHOLE = {"ambiguous-module", "missing-module", "shadowed-module", "shared-state"}
_STEPS: tuple[tuple[_Check, ...], ...] = (
    (check_cells,),
    (check_module,),
    (
        check_python,
        check_hooks,
        check_decorators,
        _check_capability,
        check_imports,
        check_modules,
        check_module_names,
        check_names,
        check_notebook_only,
        check_params,
        check_assets,
        check_files,
        check_downloads,
        check_pickles,
        check_secrets,
        check_shared_state,
        check_kept_frames,
        check_rebound,
        check_gpu,
    ),
)


def _position(finding: Finding) -> tuple[int, int, int]:
    place = finding.place
    return (place.cell.number, place.line or 0, place.column or 0) if place else (0, 0, 0)
