"""Whether cells are Python: each for itself, and all tagged ones as one module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import beginnings, instead_of, is_magic, parse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.imports import is_future
from byoc_kit.notebook.module import render_module
from byoc_kit.notebook.notebook_file import TAG, Cell

NO_TAGGED_CELL = Rule(
    code="no-tagged-cell",
    severity=Severity.ERROR,
    about="nothing is tagged for the export",
    why="The container gets the cells with the tag `byoc`, and no others.",
    example="""\
# %%
def process_frame(frame):
    return frame
""",
)
DROPPED_MAGIC = Rule(
    code="dropped-magic",
    severity=Severity.NOTE,
    about="a magic that changes nothing in a container is left out",
    why="It sets how the notebook shows or reloads things. The module has no use for it.",
    example="%matplotlib inline",
)
MAGIC = Rule(
    code="magic",
    severity=Severity.ERROR,
    about="a line is IPython, not Python",
    why="The exported module is plain Python. IPython's commands do not run there.",
    example="!pip install torch",
)
TOP_LEVEL_AWAIT = Rule(
    code="top-level-await",
    severity=Severity.ERROR,
    about="`await` outside a function works in a notebook only",
    why="IPython runs an event loop around each cell. A module has none while it is imported.",
    example="""\
import asyncio

await asyncio.sleep(1)
""",
)
SYNTAX_ERROR = Rule(
    code="syntax-error",
    severity=Severity.ERROR,
    about="a tagged cell is not valid Python",
    why="The container could not import the module.",
    example="""\
x = 1
y = = 2
""",
)
FUTURE_IMPORT = Rule(
    code="future-import",
    severity=Severity.ERROR,
    about="`from __future__` must be the first statement of the module",
    why="Python takes `from __future__` at the top of a file only. The tagged cells become one file.",
    example="""\
# %% byoc
x = 1

# %% byoc
from __future__ import annotations
""",
)

_SHOWN = 60


def check_cells(analysis: Analysis) -> Iterator[Finding]:
    """Yield why a tagged cell, on its own, is not Python, and the magics that are left out of it.

    Where no cell is tagged, yield only that.
    """
    if not analysis.cells:
        yield from _check_tags(analysis)
    for cell in analysis.cells:
        for line in cell.dropped_lines:
            message = f"`{_shown(cell, line)}` is left out: it changes nothing in a container"
            hint = "move it to a cell without the tag to be rid of this note"
            yield Finding(DROPPED_MAGIC, analysis.name, message, hint, _whole_line(cell, line))
        try:
            _ = cell.tree
        except SyntaxError as error:
            yield from _check_error(analysis, cell, error)


def check_module(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong only with the cells as one module; each must be Python for itself."""
    cells = analysis.cells
    for cell in cells[1:]:
        for node in cell.tree.body:
            if is_future(node):
                message = "`from __future__` works only at the top of the module"
                hint = f"move it to the top of cell {cells[0].number}, the first tagged one"
                yield Finding(FUTURE_IMPORT, analysis.name, message, hint, Place.of(cell, node))
                return
    for node in cells[0].tree.body:
        if is_future(node) and not _has_its_own_lines(cells[0], node):
            message = "`from __future__` shares a line with another statement, and goes to the top of the module"
            yield Finding(FUTURE_IMPORT, analysis.name, message, "give it a line of its own", Place.of(cells[0], node))
            return
    module = render_module(analysis)
    try:
        parse(module.source)
    except SyntaxError as error:
        cell, line = module.locate(error.lineno or 1)
        yield from _check_syntax(analysis, error, cell, line)


def _check_tags(analysis: Analysis) -> Iterator[Finding]:
    hint = f"tag the cells that belong in the container `{TAG}` (right sidebar, property inspector, Cell Tags)"
    near = {tag for cell in analysis.notebook.cells for tag in cell.tags if tag.strip().lower() == TAG}
    if near and near != {TAG}:
        hint = f"the tag is `{TAG}`, written so; there is `{min(near)}`"
    yield Finding(NO_TAGGED_CELL, analysis.name, "no code cell with something in it is tagged", hint)


def _has_its_own_lines(cell: Cell, node: ast.stmt) -> bool:
    lines = [line.encode() for line in ["", *cell.lines]]
    last = node.end_lineno or node.lineno
    after = lines[last][node.end_col_offset :].strip()
    is_first = not lines[node.lineno][: node.col_offset].strip() and not lines[node.lineno - 1].endswith(b"\\")
    return is_first and (not after or after.startswith(b"#"))


def _check_error(analysis: Analysis, cell: Cell, error: SyntaxError) -> Iterator[Finding]:
    magic = _magic_line(cell)
    if magic is not None:
        line = cell.lines[magic - 1]
        message = f"`{_shown(cell, magic)}` is IPython, not Python"
        yield Finding(MAGIC, analysis.name, message, instead_of(line), _whole_line(cell, magic))
    elif _is_await(error):
        message = f"`{_shown(cell, error.lineno or 1)}` awaits outside a function, which only a notebook does"
        hint = "await it in load_model(), which may be async"
        yield Finding(TOP_LEVEL_AWAIT, analysis.name, message, hint, _place(error, cell, error.lineno))
    else:
        yield from _check_syntax(analysis, error, cell, error.lineno)


def _is_await(error: SyntaxError) -> bool:
    said = error.msg
    return said in {"'await' outside function", "asynchronous comprehension outside of an asynchronous function"} or (
        said.startswith("'async ") and said.endswith("outside async function")
    )


def _check_syntax(analysis: Analysis, error: SyntaxError, cell: Cell, line: int | None) -> Iterator[Finding]:
    message = error.msg if line is None else f"{error.msg}: `{_shown(cell, line)}`"
    place = _place(error, cell, line)
    yield Finding(SYNTAX_ERROR, analysis.name, message, "correct it, or remove the tag", place)


def _place(error: SyntaxError, cell: Cell, line: int | None) -> Place:
    """Return where Python says the error is; its offsets count characters from 1."""
    column = error.offset or None
    is_short = error.end_lineno == error.lineno and error.end_offset and column and error.end_offset > column
    return Place.in_code(cell, line, column, error.end_offset if is_short else None) if line else Place(cell)


def _whole_line(cell: Cell, line: int) -> Place:
    text = cell.lines[line - 1]
    return Place.in_code(cell, line, len(text) - len(text.lstrip()) + 1, len(text) + 1)


def _magic_line(cell: Cell) -> int | None:
    """Return the first line that looks like a magic and begins a statement, so that it stands in no string."""
    lines = cell.python.split("\n")
    return next(beginnings(lines, [number for number, line in enumerate(lines, 1) if is_magic(line)]), None)


def _shown(cell: Cell, line: int) -> str:
    text = cell.lines[line - 1].strip() if line <= len(cell.lines) else ""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
