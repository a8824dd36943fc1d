"""Lines that are IPython and not Python: which there are, and which a container can do without."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from byoc_kit.notebook.parse import parse

# `%magic`, `%%magic`, `!shell`, `?name`, `name = %magic`, `name = !shell`, `name?`
_MAGIC = re.compile(r"(?:[\w.,\[\] \t]+=\s*)?(?:%{1,2}[A-Za-z]|!(?!=)|\?{1,2}\w)|[\w.*]+\?{1,2}\s*$")
# They change how a notebook shows, reloads or times things, and nothing that is computed.
_HARMLESS = re.compile(
    r"%(?:autoreload|colors|config|load_ext|matplotlib|pdb|precision|reload_ext|xmode)\b|%%(?:capture|time)\b"
)
_INSTALLS = re.compile(r"[%!]\s*(?:pip|conda|mamba|uv)\b")
_SETS = re.compile(r"%(?:set_)?env\s+(\w+)(?:=|\s+\S)")
_FETCHES = re.compile(r"!\s*(?:wget|curl|gdown|git\s+clone|hf|huggingface-cli)\b")
_ELSEWHERE = "move it to a cell without the tag"


def is_magic(line: str) -> bool:
    """Whether a line looks like IPython; one inside a string may, too."""
    return bool(_MAGIC.match(line.lstrip()))


def is_harmless(line: str) -> bool:
    """Whether the line is a magic that an exported cell can do without."""
    return bool(_HARMLESS.match(line))


def instead_of(line: str) -> str:
    """Say what to do with a line that is IPython: what it does in the notebook, a container may need too."""
    line = line.lstrip()
    if _INSTALLS.match(line):
        return f"{_ELSEWHERE}; the image gets what is installed here and imported"
    if found := _SETS.match(line):
        return f'write os.environ["{found[1]}"] = "..." instead'
    if _FETCHES.match(line):
        return f'{_ELSEWHERE}, and name the file that it fetches with byoc_kit.asset("..."), so that the image has it'
    return _ELSEWHERE


def harmless_lines(lines: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of a cell's lines that are magics without meaning in a container."""
    numbers = [number for number, line in enumerate(lines, 1) if is_harmless(line)]
    return tuple(beginnings(lines, numbers))


def parse_untagged(lines: Sequence[str]) -> ast.Module:
    """Parse a cell that stays in the notebook, without its magics; an empty module where the rest is no Python."""
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not is_harmless(first):
        return ast.Module(body=[], type_ignores=[])  # what it binds, if it is Python at all, it binds elsewhere
    try:
        return parse("\n".join("" if is_magic(line) else line for line in lines))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def beginnings(lines: Sequence[str], numbers: Sequence[int]) -> Iterator[int]:
    """Yield those of the lines that begin a statement, so that they stand in no string; all must look like magics."""
    if not numbers:
        return
    marked = list(lines)
    for number in numbers:
        marked[number - 1] = _marked(lines[number - 1])
    try:
        nodes = ast.walk(parse("\n".join(marked)))
    except SyntaxError:  # something else is wrong, too: each is looked at with what stands above it
        lines = list(lines)
        for number in numbers:
            if _parses("\n".join([*lines[: number - 1], marked[number - 1]])):
                lines[number - 1] = ""
                yield number
        return
    statements = {node.lineno for node in nodes if isinstance(node, ast.If)}
    yield from (number for number in numbers if number in statements)


def _marked(line: str) -> str:
    """Return a statement that stands as the line does; a compound one, which none on the same line may precede."""
    return line[: len(line) - len(line.lstrip())] + "if 1: pass"


def _parses(source: str) -> bool:
    try:
        parse(source)
    except SyntaxError:
        return False
    return True
