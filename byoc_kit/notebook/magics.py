"""Lines that are IPython and not Python: which there are, and which a container can do without."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from byoc_kit.notebook.parse import parse
from byoc_kit.notebook.read import Cell

# `%magic`, `%%magic`, `!shell`, `?name`, `name = %magic`, `name = !shell`, `name?`
_MAGIC = re.compile(r"\s*(?:[\w.,\[\] \t]+=\s*)?(?:%{1,2}[A-Za-z]|!(?!=)|\?{1,2}\w)|\s*[\w.*]+\?{1,2}\s*$")
# They change how a notebook shows, reloads or times things, and nothing that is computed.
_HARMLESS = re.compile(
    r"%(?:autoreload|colors|config|load_ext|matplotlib|pdb|precision|reload_ext|xmode)\b|%%(?:capture|time)\b"
)
_INSTALLS = re.compile(r"\s*[%!]\s*(?:pip|conda|mamba|uv)\b")


def is_magic(line: str) -> bool:
    """Whether a line looks like IPython; one inside a string may, too."""
    return bool(_MAGIC.match(line))


def is_harmless(line: str) -> bool:
    """Whether the line is a magic that an exported cell can do without."""
    return bool(_HARMLESS.match(line))


def installs(line: str) -> bool:
    """Whether the line installs packages."""
    return bool(_INSTALLS.match(line))


@lru_cache(maxsize=4096)
def python_of(cell: Cell) -> str:
    """Return a cell's source with its harmless magics as empty lines, so that all others keep their numbers."""
    lines = list(cell.lines)
    for line in dropped_lines(cell):
        lines[line - 1] = ""
    return "\n".join(lines)


@lru_cache(maxsize=4096)
def dropped_lines(cell: Cell) -> tuple[int, ...]:
    """Return the lines of a cell that are magics without meaning in a container."""
    lines, found = list(cell.lines), []
    for number, line in enumerate(cell.lines, 1):
        if is_harmless(line) and begins_a_statement(lines, number):
            lines[number - 1] = ""
            found.append(number)
    return tuple(found)


def parse_untagged(cell: Cell) -> ast.Module:
    """Parse a cell that stays in the notebook, its magics left out; an empty module where it is no Python still."""
    lines = ["" if is_magic(line) else line for line in cell.lines]
    try:
        return parse("\n".join(lines))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def begins_a_statement(lines: list[str], number: int) -> bool:
    """Whether a line begins a statement, so that it stands in no string."""
    line = lines[number - 1]
    indent = line[: len(line) - len(line.lstrip())]
    try:
        parse("\n".join([*lines[: number - 1], f"{indent}pass"]))
    except SyntaxError:
        return False
    return True
