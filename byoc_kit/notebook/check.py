"""What is wrong with a notebook that is to be exported. Nothing is run.

For what reading the code cannot know: a path that the base image has, a text that only looks like a key.
"""

from __future__ import annotations

import difflib
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.capability_cell import read_capability
from byoc_kit.notebook.findings import CODES, IGNORABLE, Finding, Place, require_no_error
from byoc_kit.notebook.hooks import check_hooks
from byoc_kit.notebook.module import Module, render_module
from byoc_kit.notebook.names import check_imports, check_names
from byoc_kit.notebook.notebook_file import TAG, Cell
from byoc_kit.notebook.params_class import check_params
from byoc_kit.notebook.rules.assets import check_assets
from byoc_kit.notebook.rules.decorators import check_decorators
from byoc_kit.notebook.rules.device import check_gpu
from byoc_kit.notebook.rules.files import check_files
from byoc_kit.notebook.rules.growth import check_growth
from byoc_kit.notebook.rules.loading import check_downloads, check_pickles
from byoc_kit.notebook.rules.modules import check_module_names, check_modules, check_python
from byoc_kit.notebook.rules.notebook_only import check_notebook_only
from byoc_kit.notebook.rules.secrets import check_secrets
from byoc_kit.notebook.rules.state import check_kept_frames, check_rebound, check_shared_state
from byoc_kit.notebook.rules.syntax import check_cells, check_module

_COMMENT = re.compile(r"#\s*byoc:\s*ignore\b\s*(?:\[([^\]]*)\]?)?", re.IGNORECASE)
_HOW = "`# byoc: ignore[secret]`; several codes stand between commas"


@dataclass(frozen=True)
class Ignored:
    """A code that a comment names, empty if it names none; ``place`` is the comment's.

    ``first_line`` is above the comment's where a text or a backslash joins them: up there no comment can stand.
    """

    code: str
    place: Place
    first_line: int

    def covers(self, finding: Finding) -> bool:
        """Whether the finding may pass: it has that code, and is in that line."""
        is_there = finding.line is not None and self.first_line <= finding.line <= (self.place.line or 0)
        return (
            self.code in IGNORABLE and finding.code == self.code and finding.cell == self.place.cell.number and is_there
        )


def ignored(analysis: Analysis) -> list[Ignored]:
    """Return what the comments of the tagged cells name, in the order of the text."""
    return [one for cell in analysis.cells for one in _in_cell(cell)]


def check_ignored(analysis: Analysis, named: Collection[Ignored], findings: Collection[Finding]) -> Iterator[Finding]:
    """Yield what is wrong with the comments themselves; ``findings`` are all, with those that they let pass."""
    for one in named:
        if one.code in IGNORABLE:
            if any(map(one.covers, findings)):
                continue
            message = f"there is no {one.code} in this line"
            hint = "remove the comment, or put it at the end of the line that the finding names"
        elif one.code in CODES:
            message, hint = f"{one.code} cannot be ignored", "mend what it says, and remove the comment"
        elif one.code:
            near = difflib.get_close_matches(one.code, IGNORABLE, 1)
            message = f"there is no finding called {one.code}"
            hint = f"did you mean {near[0]}" if near else "`byoc-kit check --codes` lists them"
        else:
            message, hint = "the comment does not say what is to be ignored", f"name it: {_HOW}"
        yield Finding("unused-ignore", analysis.name, message, hint, one.place)


def _in_cell(cell: Cell) -> Iterator[Ignored]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(cell.python + "\n").readline))
    except (tokenize.TokenError, SyntaxError):  # said as a syntax-error, where it is one
        return
    joined = _joined(cell, tokens)
    for token in tokens:
        for found in _COMMENT.finditer(token.string) if token.type == tokenize.COMMENT else ():
            line, column = token.start
            place = Place.in_code(cell, line, column + found.start() + 1, column + found.end() + 1)
            codes = re.findall(r"[^,\s]+", (found[1] or "").casefold()) or [""]
            yield from (Ignored(code, place, joined.get(line, line)) for code in codes)


def _joined(cell: Cell, tokens: Iterable[tokenize.TokenInfo]) -> dict[int, int]:
    """Return the first of the lines that a text or a backslash joins, by each of the others."""
    ends = {line + 1 for line, text in enumerate(cell.lines, 1) if text.endswith("\\")}
    for token in tokens:
        if token.type == tokenize.STRING:
            ends |= set(range(token.start[0] + 1, token.end[0] + 1))
    first: dict[int, int] = {}
    for line in sorted(ends):
        first[line] = first.get(line - 1, line - 1)
    return first


_Check: TypeAlias = "Callable[[Analysis], Iterator[Finding]]"


def checked_module(analysis: Analysis) -> Module:
    """Return the exported module. Raises ``NotebookError`` where a finding is an error."""
    require_no_error(check_notebook(analysis))
    return render_module(analysis)


@part
def check_notebook(analysis: Analysis) -> list[Finding]:
    """Return what is wrong with a notebook, in its order; it can be exported where none is an error.

    Each step needs what the one before it found in order: cells, then Python, then one module, then what it says. What
    a comment lets pass, ``ignored``, is left out.
    """
    if not analysis.cells:
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
    found = read_capability(analysis)
    if isinstance(found, Finding):
        yield found


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
        check_growth,
        check_rebound,
        check_gpu,
    ),
)


def _position(finding: Finding) -> tuple[int, int, int]:
    place = finding.place
    return (place.cell.number, place.line or 0, place.column or 0) if place else (0, 0, 0)
