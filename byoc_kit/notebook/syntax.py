"""Whether cells are Python: each for itself, and all tagged ones as one module."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache

from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.joined import join
from byoc_kit.notebook.read import Cell, Notebook

# `%magic`, `%%magic`, `!shell`, `?name`, `name = %magic`, `name = !shell`, `name?`
_MAGIC = re.compile(r"\s*(?:[\w.,\[\] \t]+=\s*)?(?:%{1,2}[A-Za-z]|!(?!=)|\?{1,2}\w)|\s*[\w.*]+\?{1,2}\s*$")
# The name analysis recurses, three calls a level; Python stops at 1000 calls.
_MAX_DEPTH = 200
_SHOWN = 60


def check_cells(notebook: Notebook) -> Iterator[Finding]:
    """Yield one finding for each tagged cell that is no Python."""
    for cell in notebook.exported:
        try:
            parse(cell.source)
        except SyntaxError as error:
            magic = _magic_line(cell)
            if magic is None:
                yield _syntax_finding(notebook, error, cell, error.lineno)
                continue
            message = f"`{_shown(cell, magic)}` is IPython, not Python"
            yield Finding("magic", notebook.name, message, "move it to a cell without the tag", cell.number, magic)


def check_module(notebook: Notebook) -> Iterator[Finding]:
    """Yield what is wrong only with the cells as one module; each must be Python for itself."""
    cells = notebook.exported
    for cell in cells[1:]:
        for node in parse(cell.source).body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                message = "`from __future__` works only at the top of the module"
                hint = f"move it to the top of cell {cells[0].number}, the first tagged one"
                yield Finding("future-import", notebook.name, message, hint, cell.number, node.lineno)
                return
    joined = join(cells)
    try:
        parse(joined.source)
    except SyntaxError as error:
        cell, line = joined.locate(error.lineno or 1)
        yield _syntax_finding(notebook, error, cell, line)


@lru_cache(maxsize=256)
def parse(source: str) -> ast.Module:
    """Parse a cell or a module; do not change the tree. Raises nothing but :class:`SyntaxError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the notebook has shown them where the cell ran
            # besides the parser, which lets `return` and `await` outside a function through
            compile(source, "<cell>", "exec", dont_inherit=True)
            tree = ast.parse(source)
    except (RecursionError, MemoryError):
        raise SyntaxError("too deeply nested") from None
    except ValueError as error:  # a NUL character, or half a surrogate pair
        raise SyntaxError(str(error)) from None
    if _depth(tree) > _MAX_DEPTH:
        raise SyntaxError("too deeply nested")
    return tree


def parse_untagged(cell: Cell) -> ast.Module:
    """Parse a cell that stays in the notebook, its magics left out; an empty module where it is no Python still."""
    lines = ["" if _MAGIC.match(line) else line for line in cell.lines]
    try:
        return parse("\n".join(lines))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def _syntax_finding(notebook: Notebook, error: SyntaxError, cell: Cell, line: int | None) -> Finding:
    message = error.msg if line is None else f"{error.msg}: `{_shown(cell, line)}`"
    return Finding("syntax-error", notebook.name, message, "mend it, or remove the tag", cell.number, line)


def _magic_line(cell: Cell) -> int | None:
    """Return the first line that looks like a magic and begins a statement, so that it stands in no string."""
    for index, line in enumerate(cell.lines):
        if not _MAGIC.match(line):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        try:
            parse("\n".join([*cell.lines[:index], f"{indent}pass"]))
        except SyntaxError:
            continue
        return index + 1
    return None


def _shown(cell: Cell, line: int) -> str:
    text = cell.lines[line - 1].strip() if line <= len(cell.lines) else ""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
