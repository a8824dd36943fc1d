"""Runs all checks over a notebook that is to be exported. Nothing of the notebook is run.

The rules and checks are those that the modules of ``rules/`` define. One that stands there needs no other mention.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from byoc_kit.notebook import rules
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.findings import Finding, Rule, Severity, require_no_error
from byoc_kit.notebook.module import Module, render_module
from byoc_kit.notebook.rules.ignored import ignored, unused_comments
from byoc_kit.notebook.rules.syntax import check_cells, check_module

Check = Callable[[Analysis], Iterator[Finding]]

# Not pkgutil's iter_modules, whose import takes 3 ms.
_NAMES = sorted(path.stem for folder in rules.__path__ for path in Path(folder).glob("[!_]*.py"))
_MODULES: list[ModuleType] = [import_module(f"{rules.__name__}.{name}") for name in _NAMES]
_VALUES = [(module, name, value) for module in _MODULES for name, value in vars(module).items()]

# By code; errors first, then warnings, then notes.
RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in sorted(
        {value for *_, value in _VALUES if isinstance(value, Rule)},
        key=lambda rule: (list(Severity).index(rule.severity), rule.code),
    )
}
# In the order of the modules' names, and in each in that of the text.
CHECKS: tuple[Check, ...] = tuple(
    value for module, name, value in _VALUES if name.startswith("check_") and value.__module__ == module.__name__
)
# Each step needs what the one before it found in order: cells that are Python, one module, and what it says.
_STEPS = ((check_cells,), (check_module,), tuple(one for one in CHECKS if one not in {check_cells, check_module}))


def checked_module(analysis: Analysis) -> Module:
    """Return the exported module. Raises ``NotebookError`` where a finding is an error."""
    require_no_error(check_notebook(analysis))
    return render_module(analysis)


@part
def check_notebook(analysis: Analysis) -> list[Finding]:
    """Return what is wrong with a notebook, in its order; it can be exported where none is an error.

    What a comment lets pass, ``ignored``, is left out.
    """
    named = ignored(analysis)
    found: list[Finding] = []
    findings: list[Finding] = []
    for step in _STEPS:
        if any(finding.is_error for finding in findings):
            break
        found += (finding for check in step for finding in check(analysis))
        findings = [finding for finding in found if not any(one.covers(finding) for one in named)]
    else:
        findings += unused_comments(analysis, named, found, RULES)
    return sorted(_said_once(findings), key=_position)


def _said_once(findings: list[Finding]) -> list[Finding]:
    """Say in one finding what was found in several lines, where one change is the remedy for all."""
    same: dict[object, list[Finding]] = {}
    for finding in findings:
        key = (finding.code, finding.message, finding.hint) if finding.rule.is_said_once else finding
        same.setdefault(key, []).append(finding)
    return [_with_lines(first, others) for first, *others in same.values()]


def _with_lines(first: Finding, others: list[Finding]) -> Finding:
    """Return the first finding, with the lines of the others in its message."""
    lines = defaultdict[int, set[int]](set)
    for other in others:
        if other.cell is not None and other.line is not None and (other.cell, other.line) != (first.cell, first.line):
            lines[other.cell].add(other.line)
    if not lines:
        return first
    said = "; ".join(
        ("" if cell == first.cell else f"cell {cell}, ") + f"line{'s' * (len(numbers) > 1)} {_listed(sorted(numbers))}"
        for cell, numbers in sorted(lines.items())
    )
    return replace(first, message=f"{first.message} (also {said})")


def _listed(numbers: list[int]) -> str:
    *before, last = map(str, numbers)
    return f"{', '.join(before)} and {last}" if before else last


def _position(finding: Finding) -> tuple[int, int, int]:
    place = finding.place
    return (place.cell.number, place.line or 0, place.column or 0) if place else (0, 0, 0)
