"""Comments that let a finding of their line pass: ``# byoc: ignore[secret]``.

They are meant for what the checks cannot know, such as a path that the base image has.
"""

from __future__ import annotations

import difflib
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import tokens
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.notebook_file import Cell

UNUSED_IGNORE = Rule(
    code="unused-ignore",
    severity=Severity.WARNING,
    about="a comment `# byoc: ignore[...]` names what is not found in its line, or cannot be ignored",
    why=(
        "A comment that ignores nothing hides the next finding of that line. It may also be misspelt, and ignore less"
        " than you think."
    ),
    example="x = 1  # byoc: ignore[secret]",
)

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
        is_named = finding.rule.ignorable and finding.code == self.code
        return is_named and finding.cell == self.place.cell.number and is_there


def ignored(analysis: Analysis) -> list[Ignored]:
    """Return what the comments of the tagged cells name, in the order of the text."""
    return [one for cell in analysis.cells for one in _in_cell(cell)]


def unused_comments(
    analysis: Analysis, named: Collection[Ignored], findings: Collection[Finding], rules: Mapping[str, Rule]
) -> Iterator[Finding]:
    """Yield what is wrong with the comments themselves; ``findings`` are all, with those that they let pass."""
    ignorable = [code for code, rule in rules.items() if rule.ignorable]
    for one in named:
        if one.code in ignorable:
            if any(map(one.covers, findings)):
                continue
            message = f"there is no {one.code} in this line"
            hint = "remove the comment, or put it at the end of the line that the finding names"
        elif one.code in rules:
            message, hint = (
                f"{one.code} cannot be ignored",
                "change the line as the finding says, and remove the comment",
            )
        elif one.code:
            near = difflib.get_close_matches(one.code, ignorable, 1)
            message = f"there is no finding called {one.code}"
            hint = f"did you mean {near[0]}" if near else "`byoc-kit check --codes` lists them"
        else:
            message, hint = "the comment does not say what is to be ignored", f"name it: {_HOW}"
        yield Finding(UNUSED_IGNORE, analysis.name, message, hint, one.place)


def _in_cell(cell: Cell) -> Iterator[Ignored]:
    try:
        found = tokens(cell.python)
    except SyntaxError:  # said as a syntax-error, where it is one
        return
    joined = _joined(cell, found)
    for token in found:
        for comment in _COMMENT.finditer(token.string) if token.type == tokenize.COMMENT else ():
            line, column = token.start
            place = Place.in_code(cell, line, column + comment.start() + 1, column + comment.end() + 1)
            codes = re.findall(r"[^,\s]+", (comment[1] or "").casefold()) or [""]
            yield from (Ignored(code, place, joined.get(line, line)) for code in codes)


def _joined(cell: Cell, found: Iterable[tokenize.TokenInfo]) -> dict[int, int]:
    """Return the first of the lines that a text or a backslash joins, by each of the others."""
    ends = {line + 1 for line, text in enumerate(cell.lines, 1) if text.endswith("\\")}
    for begin, end in _texts(found):
        ends |= set(range(begin + 1, end + 1))
    first: dict[int, int] = {}
    for line in sorted(ends):
        first[line] = first.get(line - 1, line - 1)
    return first


def _texts(found: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each text; f-strings can be inside each other."""
    begun: list[int] = []
    for token in found:
        match tokenize.tok_name[token.type]:
            case "STRING":
                yield token.start[0], token.end[0]
            case "FSTRING_START":
                begun.append(token.start[0])
            case "FSTRING_END":
                yield begun.pop(), token.end[0]
