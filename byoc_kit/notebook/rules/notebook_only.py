"""What a tagged cell must not use, since only a notebook has it: display, IPython, widgets, the preview, input().

It may where it first looks whether it is there, or handles that it is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, references
from byoc_kit.notebook.cell_source import unparse
from byoc_kit.notebook.constants import constants
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import (
    KIT_FOR_NOTEBOOKS,
    NOTEBOOK_NAMES,
    PROGRESS_FOR_NOTEBOOKS,
    bindings,
    handling,
    is_for_notebooks,
)
from byoc_kit.notebook.notebook_file import Cell

NOTEBOOK_ONLY = Rule(
    code="notebook-only",
    severity=Severity.ERROR,
    about="a tagged cell uses what only a notebook has",
    why="The container has no IPython, no front end and nobody who types. There the line fails, or waits for ever.",
    example="""\
def process_frame(frame):
    display(frame)
""",
    ignorable=True,
)

SHOWN_FIGURE = Rule(
    code="shown-figure",
    severity=Severity.WARNING,
    about="a tagged cell shows a figure, and in the container nobody looks",
    why=(
        "The container has no screen. There the call does nothing, or waits for a window, for each frame. What is to "
        "be seen goes out with the frame."
    ),
    example="""\
from PIL import Image

def process_frame(frame):
    Image.fromarray(frame.pixels).show()
    return frame
""",
    ignorable=True,
)

_WINDOWS = {f"cv2.{name}" for name in ("imshow", "namedWindow", "createTrackbar", "selectROI", "waitKey")}
_FIGURES = {
    *("matplotlib.pylab.show", "matplotlib.pyplot.figure().show", "matplotlib.pyplot.pause", "matplotlib.pyplot.show"),
    *("PIL.Image.fromarray().show", "PIL.Image.open().show"),
}
_ASKING = {"builtins.input", "getpass.getpass"}
_HINT = "move it to a cell without the tag"
_PRINTS = "write `from tqdm.auto import tqdm`, which prints its progress where there is no notebook"


def check_notebook_only(analysis: Analysis) -> Iterator[Finding]:
    """Yield uses of what no container has."""
    own = {binding.name for binding in bindings(analysis)}
    names = {id(reference.node): reference for reference in references(analysis)}
    for cell, node in _run_in_container(analysis):
        for message, hint in _said_of(node, names.get(id(node)), own):
            yield Finding(NOTEBOOK_ONLY, analysis.name, message, hint, Place.of(cell, node))


def check_figures(analysis: Analysis) -> Iterator[Finding]:
    """Yield figures that are shown where nobody looks."""
    shown = {id(one.node): one.name for one in references(analysis) if one.call is not None and one.name in _FIGURES}
    for cell, node in _run_in_container(analysis):
        if id(node) in shown:
            message = f"{shown[id(node)]} shows a figure, and in the container nobody looks"
            hint = "return it as the frame's pixels, or show it in a cell without the tag"
            yield Finding(SHOWN_FIGURE, analysis.name, message, hint, Place.of(cell, node))


def _run_in_container(analysis: Analysis) -> Iterator[tuple[Cell, ast.AST]]:
    """Yield the nodes of the tagged cells but those that only a notebook runs."""
    for cell in analysis.cells:
        guarded = {id(node) for block in cell.nodes for node in _guarded(block)}
        guarded |= {id(node) for block in cell.nodes for node in _switched_off(block, constants(analysis))}
        yield from ((cell, node) for node in cell.nodes if id(node) not in guarded)


def _said_of(node: ast.AST, reference: Reference | None, own: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a node, and what to do; ``own`` are the names that the tagged cells bind."""
    name = reference.name if reference else ""
    used = [name] if isinstance(node, ast.Attribute) and name in KIT_FOR_NOTEBOOKS | PROGRESS_FOR_NOTEBOOKS else []
    for module in (*_imported(node), *used):
        yield f"{module} is for notebooks, and the container has none", _PRINTS if module.startswith("tqdm.") else _HINT
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NOTEBOOK_NAMES - own:
        yield f"{node.id} is there in notebooks only", _HINT
    if reference and reference.call and name in _ASKING:
        asks = name.removeprefix("builtins.")
        yield f"{asks}() waits for somebody to type, and the container has nobody", "make it a parameter, or a value"
    if reference and reference.call and name in _WINDOWS:
        yield f"{name} needs a window, and the container has no screen", _HINT


def _is_main(node: ast.If) -> bool:
    """Whether it is ``if __name__ == "__main__"``, of which the container runs nothing: it imports the module."""
    return unparse(node.test) in {"__name__ == '__main__'", "'__main__' == __name__"}


def _switched_off(block: ast.AST, constants: Mapping[str, Any]) -> Iterator[ast.AST]:
    """Yield what stands below ``if DEBUG``, where ``DEBUG = False``."""
    match block:
        case ast.If(test=ast.Name(id=name), body=body) if not constants.get(name, True):
            for statement in body:
                yield from ast.walk(statement)


def _guarded(block: ast.AST) -> Iterator[ast.AST]:
    """Yield what a block runs only where it is in a notebook, or without harm where it is not."""
    for statement in handling(block, {"NameError"}):
        yield from (node for node in _run_at_once(statement) if isinstance(node, ast.Name))
    for statement in handling(block, {"ImportError", "ModuleNotFoundError"}):
        for node in _run_at_once(statement):
            # an import that succeeds in the container, too, guards no call
            if isinstance(node, ast.Import | ast.ImportFrom) and not PROGRESS_FOR_NOTEBOOKS & set(_imported(node)):
                yield node
    chosen: list[ast.AST] = []
    match block:
        case ast.If(body=body) if _is_main(block):
            chosen += body
        case ast.If(test=test, body=body, orelse=other):
            chosen += (body if is_there else other) if (is_there := _looks(test)) is not None else []
        case ast.IfExp(test=test, body=value, orelse=other_value):
            chosen += [value if is_there else other_value] if (is_there := _looks(test)) is not None else []
        case ast.BoolOp(op=ast.And(), values=[test, *others]) if _looks(test):
            chosen += others
    for part in chosen:
        yield from ast.walk(part)


def _looks(test: ast.expr) -> bool | None:
    """Whether a test is true in notebooks only, or false there only; ``None`` for any other."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            found = _looks(inner)
            return None if found is None else not found
        case ast.Compare(
            left=ast.Constant(value=str(name)),
            ops=[ast.In() | ast.NotIn() as operator],
            comparators=[
                ast.Call(func=ast.Name(id="globals" | "locals" | "vars" | "dir")) | ast.Attribute(attr="modules")
            ],
        ):
            return isinstance(operator, ast.In) if _is_notebooks(name) else None
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=str(name))]):
            return True if _is_notebooks(name) else None
    return None


def _is_notebooks(name: str) -> bool:
    return name in NOTEBOOK_NAMES | {"__IPYTHON__"} or is_for_notebooks(name)


def _run_at_once(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement but those in a function, which is called later, and maybe elsewhere."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield what an import takes of the modules that are for notebooks."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if is_for_notebooks(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        if is_for_notebooks(node.module):
            yield node.module
        else:
            named = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name for name in named if is_for_notebooks(name))
