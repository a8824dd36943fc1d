"""What a tagged cell must not use, since only a notebook has it: display, IPython, widgets, the preview.

It may where it first looks whether it is there, or handles that it is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from byoc_kit.notebook.calls import references
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.names import NOTEBOOK_NAMES, bindings, handling, tree_of
from byoc_kit.notebook.read import Notebook

_OF_THE_KIT = {"byoc_kit.preview", "byoc_kit.regress", "byoc_kit.ship"}
_MODULES = {"IPython", "anywidget", "google.colab", "ipykernel", "ipywidgets", *_OF_THE_KIT}
_HINT = "move it to a cell without the tag"


def check_notebook_only(notebook: Notebook) -> Iterator[Finding]:
    """Yield uses of what no container has."""
    own = {binding.name for binding in bindings(notebook.exported)}
    of_the_kit = {id(r.node): r.name for r in references(notebook) if r.name in _OF_THE_KIT}
    for cell in notebook.exported:
        nodes = list(ast.walk(tree_of(cell)))
        guarded = {id(node) for block in nodes for node in _guarded(block)}
        for node in nodes:
            if id(node) in guarded:
                continue
            used = {of_the_kit[id(node)]} if isinstance(node, ast.Attribute) and id(node) in of_the_kit else set()
            for name in (*_imported(node), *used):
                message = f"{name} is for notebooks, and the container has none"
                yield Finding("notebook-only", notebook.name, message, _HINT, Place.of(cell, node))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NOTEBOOK_NAMES - own:
                message = f"{node.id} is there in notebooks only"
                yield Finding("notebook-only", notebook.name, message, _HINT, Place.of(cell, node))


def _guarded(block: ast.AST) -> Iterator[ast.AST]:
    """Yield what a block runs only where it is in a notebook, or without harm where it is not."""
    for error, kinds in (("NameError", ast.Name), ("ImportError", ast.Import | ast.ImportFrom)):
        names = {error, "ModuleNotFoundError"} if error == "ImportError" else {error}
        for statement in handling(block, names):
            yield from (node for node in _run_at_once(statement) if isinstance(node, kinds))
    chosen: list[ast.AST] = []
    match block:
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
        elif node.module == "byoc_kit":
            yield from (name for alias in node.names if (name := f"byoc_kit.{alias.name}") in _OF_THE_KIT)


def is_for_notebooks(name: str) -> bool:
    """Whether a dotted name is of a module that no container has a use for."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in _MODULES for count in range(1, len(parts) + 1))
