"""What cells read and call, by its dotted name: ``np.load`` is ``numpy.load``, whatever the import calls it."""

from __future__ import annotations

import ast
import builtins
from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.names import Function, bindings
from byoc_kit.notebook.notebook_file import Cell

# The dotted name that a name stands for; None for what the module made itself, "" for what a function did.
Scope = ChainMap[str, str | None]

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, eq=False)
class Reference:
    """A name or an attribute that a cell reads, and the call where it is what is called.

    ``Path("x").open`` is ``pathlib.Path().open``, and a builtin ``builtins.open``; the name is empty for a call of
    what the notebook made itself.
    """

    name: str
    node: ast.expr
    call: ast.Call | None
    cell: Cell
    scope: Scope

    def argument(self, position: int, keyword: str) -> ast.expr | None:
        """Return an argument of the call."""
        if self.call is None:
            return None
        named = next((k.value for k in self.call.keywords if k.arg == keyword), None)
        plain = self.call.args[: position + 1]
        is_given = len(plain) > position and not any(isinstance(a, ast.Starred) for a in plain)
        return plain[position] if is_given else named


@part
def references(analysis: Analysis) -> list[Reference]:
    """Return what the cells read that has a dotted name, and all that they call, in the order of the text."""
    found = []
    for cell in analysis.cells:
        own = list(_walk(cell, module_scope(analysis)))
        found += sorted(own, key=lambda r: (r.node.lineno, r.node.col_offset, -(r.node.end_col_offset or 0)))
    return found


@part
def calls(analysis: Analysis) -> list[Reference]:
    """Return the calls among the references."""
    return [reference for reference in references(analysis) if reference.call is not None]


def called_by(analysis: Analysis, hooks: Sequence[str]) -> Iterator[tuple[Cell, Function]]:
    """Yield hooks, and the notebook's own functions that they use."""
    functions = {b.name: (b.cell, b.node) for b in bindings(analysis) if isinstance(b.node, Function)}
    waiting, seen = list(hooks), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in functions:
            continue
        seen.add(name)
        cell, function = functions[name]
        yield cell, function
        waiting += [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]


def dotted_name(node: ast.expr, scope: Scope) -> str | None:
    """Return what an expression is called; ``None`` if only running would tell."""
    match node:
        case ast.Name(id=name):
            if name in scope:
                return scope[name] or None
            return f"builtins.{name}" if hasattr(builtins, name) else None
        case ast.Attribute(value=value, attr=attribute):
            owner = dotted_name(value, scope)
            return owner and f"{owner}.{attribute}"
        case ast.Call(func=function):
            called = dotted_name(function, scope)
            return called and f"{called}()"
    return None


def imported_names(node: ast.AST) -> dict[str, str]:
    """Return the names that an import binds, and the dotted name of each."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


@part
def module_scope(analysis: Analysis) -> Scope:
    """Return what the names stand for that the cells bind at their top level."""
    scope: Scope = ChainMap()
    for binding in bindings(analysis):
        imported = imported_names(binding.node).get(binding.name)
        # `except ImportError: cv2 = None` beside `import cv2` is cv2 where it works
        scope[binding.name] = imported or scope.get(binding.name)
    return scope


def _walk(cell: Cell, module: Scope) -> Iterator[Reference]:
    waiting: list[tuple[ast.AST, Scope]] = [(cell.tree, module)]
    called: dict[int, ast.Call] = {}
    while waiting:  # no recursion: an expression may be deep
        node, scope = waiting.pop()
        if isinstance(node, ast.Call):
            called[id(node.func)] = node
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name, call = dotted_name(node, scope), called.get(id(node))
            if name or call:
                yield Reference(name or "", node, call, cell, scope)
        inner = scope.new_child(local_names(node)) if isinstance(node, _Function) else scope
        inside = set(_body(node)) if isinstance(node, _Function) else set()
        waiting += [(child, scope) for child in ast.iter_child_nodes(node) if child not in inside]
        waiting += [(child, inner) for child in inside]


def _body(function: _Function) -> list[ast.AST]:
    return [function.body] if isinstance(function, ast.Lambda) else list(function.body)


def local_names(function: _Function) -> dict[str, str | None]:
    """Return the names that a function binds in its own scope."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bound = {argument.arg: "" for argument in every if argument}
    of_module: set[str] = set()
    waiting = _body(function)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.setdefault(name, "")
                continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                of_module |= set(names)
            case ast.Name(id=name, ctx=ast.Store()):
                bound.setdefault(name, "")
            case ast.Import() | ast.ImportFrom():
                bound |= imported_names(node)
        waiting += ast.iter_child_nodes(node)
    return {name: dotted for name, dotted in bound.items() if name not in of_module}
