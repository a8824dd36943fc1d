"""Module state that process_frame changes: one stream may, several at once would share it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from byoc_kit.capability import Capability
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.names import Binding
from byoc_kit.notebook.read import Cell

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

_RUN_BY_STREAMS = ("process_frame", "process_audio")
_CHANGING = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft"),
    *("remove", "reverse", "rotate", "setdefault", "sort", "update", "copy_", "fill_", "zero_", "mul_", "add_"),
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CODE = (*_FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)


def check_shared_state(analysis: Analysis) -> Iterator[Finding]:
    """Yield what frames change in the module, where the capability offers more than one stream."""
    capability = analysis.capability
    if not isinstance(capability, Capability) or capability.capacity < 2:
        return
    bound = analysis.bindings
    state = state_names(bound)
    for cell, function in called_by(bound, _RUN_BY_STREAMS):
        for name, node in changes(function, state):
            message = f"{function.name} changes {name}, which {capability.capacity} streams would share"
            hint = "set capacity=1: the container then takes one stream at a time"
            yield Finding("shared-state", analysis.name, message, hint, Place.of(cell, node))


def state_names(bound: Iterable[Binding]) -> set[str]:
    """Return the names of the module that stand for values, and not for code."""
    return {binding.name for binding in bound if not isinstance(binding.node, _CODE)}


def called_by(
    bound: list[Binding], hooks: Sequence[str]
) -> Iterator[tuple[Cell, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield hooks, and the notebook's own functions that they use."""
    functions = {b.name: (b.cell, b.node) for b in bound if isinstance(b.node, _FUNCTIONS)}
    waiting, seen = list(hooks), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in functions:
            continue
        seen.add(name)
        cell, function = functions[name]
        assert isinstance(function, _FUNCTIONS)  # noqa: S101  # as chosen above
        yield cell, function
        waiting += [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]


def changes(function: ast.AST, state: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a function changes of the module's state."""
    nodes = list(ast.walk(function))
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    shared = state - (stored - declared) - arguments
    for node in nodes:
        name = _changed(node, declared)
        if name in shared:
            yield name, node


def _changed(node: ast.AST, declared: set[str]) -> str:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in declared:
            return name
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            return _root(node)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _CHANGING:
            return _root(value)
    return ""


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
