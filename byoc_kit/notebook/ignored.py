"""Comments that let a finding pass: ``# byoc: ignore[secret]`` at the end of the line that it names.

For what reading the code cannot know: a path that the base image has, a text that only looks like a key.
"""

from __future__ import annotations

import difflib
import io
import re
import tokenize
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from byoc_kit.notebook.codes import CODES, IGNORABLE
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.magics import python_of
from byoc_kit.notebook.read import Cell, Notebook

_COMMENT = re.compile(r"#\s*byoc:\s*ignore\b(?:\[([^\]]*)\])?", re.IGNORECASE)
_HOW = "`# byoc: ignore[secret]`; several codes stand between commas"


@dataclass(frozen=True)
class Ignored:
    """A code that a comment names, empty where it names none; ``place`` is the comment's."""

    code: str
    place: Place

    def covers(self, finding: Finding) -> bool:
        """Whether the finding may pass: it has that code, and is in that line."""
        is_there = finding.place is not None and finding.cell == self.place.cell.number
        return self.code in IGNORABLE and finding.code == self.code and is_there and finding.line == self.place.line


def ignored(notebook: Notebook) -> list[Ignored]:
    """Return what the comments of the tagged cells name, in the order of the text."""
    return [Ignored(code, place) for cell in notebook.exported for place, codes in _comments(cell) for code in codes]


def check_ignored(notebook: Notebook, named: Collection[Ignored], findings: Collection[Finding]) -> Iterator[Finding]:
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
        yield Finding("unused-ignore", notebook.name, message, hint, one.place)


def _comments(cell: Cell) -> Iterator[tuple[Place, list[str]]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(python_of(cell) + "\n").readline):
            if token.type == tokenize.COMMENT and (found := _COMMENT.search(token.string)):
                (line, column), begin = token.start, found.start()
                place = Place(cell, line, column + begin + 1, column + found.end() + 1)
                yield place, [code.strip() for code in (found[1] or "").split(",")]
    except (tokenize.TokenError, SyntaxError):  # said as a syntax-error, where it is one
        return
