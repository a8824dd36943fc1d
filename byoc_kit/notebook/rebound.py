"""Names of tagged cells that a cell without the tag binds anew: the notebook then has another value than the bundle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byoc_kit.notebook.calls import imported_names
from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.hooks import HOOKS
from byoc_kit.notebook.names import Binding, bindings

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

_INJECTED = "injected-parameters"
_READ_BY_THE_SERVER = {*HOOKS, "Params", "capability"}


def check_rebound(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names that tagged cells use, and of which the notebook has another value when it has run."""
    last = {binding.name: binding for binding in analysis.bindings}
    later = _READ_BY_THE_SERVER | {name for cell in analysis.exported for name in _read_later(cell.tree)}
    loads = ((n, cell) for cell in analysis.exported for n in cell.nodes if isinstance(n, ast.Name))
    at_once = {node.id: cell.number for node, cell in loads if isinstance(node.ctx, ast.Load)}
    untagged = [cell for cell in analysis.notebook.cells if cell.is_code and not cell.is_exported]
    said: set[str] = set()
    for again in reversed(bindings(untagged)):
        own = last.get(again.name)
        if own is None or own.name in said or again.cell.number < own.cell.number or _is_same(own, again):
            continue
        if own.name in later or at_once.get(own.name, 0) > again.cell.number:
            said.add(own.name)
            yield _finding(analysis, own, again)


def _finding(analysis: Analysis, own: Binding, again: Binding) -> Finding:
    who = "papermill's" if _INJECTED in again.cell.tags else "not tagged"
    message = f"{again.cell.label}, {who}, binds {own.name} anew, and the bundle has the value of this cell"
    hint = f"write the value here, or use another name in cell {again.cell.number}"
    return Finding("rebound-name", analysis.name, message, hint, own.place)


def _is_same(own: Binding, again: Binding) -> bool:
    """Whether both bind the name to the same: the same import, or the same text."""
    imported = imported_names(own.node).get(own.name)
    if imported is not None:
        return imported == imported_names(again.node).get(again.name)
    return ast.dump(own.statement) == ast.dump(again.statement)


def _read_later(tree: ast.Module) -> Iterator[str]:
    """Yield the names that functions read, when they are called."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            declared = {n for node in ast.walk(function) if isinstance(node, ast.Global) for n in node.names}
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)} - declared
            yield from {node.id for node in names if isinstance(node.ctx, ast.Load)} - stored - arguments
