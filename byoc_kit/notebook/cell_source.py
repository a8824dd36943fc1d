"""A cell's source as Python: without what IPython alone understands, and as a syntax tree."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Sequence

# The name analysis recurses, three calls a level; Python stops at 1000 calls.
_MAX_DEPTH = 200

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

# Only such a cell needs IPython, whose import takes 0.3 s.
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.|(?:\[(?:nav|ins)\])?[ ]?In \[\d+\]:)")


def parse(source: str) -> ast.Module:
    """Parse a cell or a module. Raises nothing but ``SyntaxError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the notebook has shown them where the cell ran
            # besides the parser, which lets `return` and `await` outside a function through
            compile(source, "<cell>", "exec", dont_inherit=True)
            tree = ast.parse(source)
    except (RecursionError, MemoryError):
        msg = "too deeply nested"
        raise SyntaxError(msg) from None
    except ValueError as error:  # a NUL character, or half a surrogate pair
        raise SyntaxError(str(error)) from None
    if _depth(tree) > _MAX_DEPTH:
        msg = "too deeply nested"
        raise SyntaxError(msg)
    return tree


def tokens(source: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of a cell or a module. Raises nothing but ``SyntaxError``.

    An f-string is one token, of type ``STRING``, up to Python 3.11, and from 3.12 on those from ``FSTRING_START`` to
    ``FSTRING_END``.
    """
    try:
        return list(tokenize.generate_tokens(io.StringIO(source + "\n").readline))
    except (tokenize.TokenError, ValueError) as error:  # ValueError: half a surrogate pair, from Python 3.12 on
        raise SyntaxError(str(error)) from None


def unparse(node: ast.AST) -> str:
    """Return a node as source, or an ellipsis if it cannot be written, such as a number of thousands of digits."""
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return "..."


def last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name, ``suppress`` of ``contextlib.suppress``; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def own_nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, but not what is inside the functions and classes in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def is_magic(line: str) -> bool:
    """Whether a line looks like IPython; one inside a string may, too."""
    return bool(_MAGIC.match(line.lstrip()))


def is_harmless(line: str) -> bool:
    """Whether the line is a magic that an exported cell can do without."""
    return bool(_HARMLESS.match(line))


def instead_of(line: str) -> str:
    """Say what to write in place of a line of IPython. The container may need what the line does."""
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
    """Parse a cell that stays in the notebook, without its magics; an empty module where the rest is not Python."""
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
    """Return a compound statement as far indented as the line: no other statement can stand before it in its line."""
    return line[: len(line) - len(line.lstrip())] + "if 1: pass"


def _parses(source: str) -> bool:
    try:
        parse(source)
    except SyntaxError:
        return False
    return True


def without_prompts(lines: Sequence[str]) -> list[str]:
    """Return the lines as IPython runs them. Each keeps its end, and none is removed.

    Only complete lines come in; the body of a cell magic is cleaned by itself, as the magic runs it.
    """
    first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    if first == len(lines):
        return list(lines)
    cleaned = list(lines)
    if lines[first][0].isspace() or any(map(_PROMPT.match, lines)):
        cleaned[first:] = _cleaned(lines[first:])
    if cleaned[first].startswith("%%"):
        return [*cleaned[: first + 1], *without_prompts(cleaned[first + 1 :])]
    return cleaned


def _cleaned(lines: Sequence[str]) -> list[str]:
    from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt, leading_indent

    cell = [f"{line}\n" for line in lines]
    for transform in (leading_indent, classic_prompt, ipython_prompt):
        cell = transform(cell)
    cleaned = [line.removesuffix("\n") for line in cell]
    is_ends = len(cleaned) == len(lines) and all(map(str.endswith, lines, cleaned))
    return cleaned if is_ends else list(lines)  # a line with U+2028 in it, which IPython breaks there
