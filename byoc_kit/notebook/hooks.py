"""The names that the exporter reads or writes: ``process_frame``, the optional hooks, ``Params``, ``Processor``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import TYPE_CHECKING

from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.names import Binding, untagged_cell
from byoc_kit.notebook.read import TAG
from byoc_kit.notebook.signatures import check_signature, head

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

# In the order of their use; `process_frame` is always there.
OPTIONAL_HOOKS = ("load_model", "process_audio", "on_stream_start", "on_stream_stop")
HOOKS = ("process_frame", *OPTIONAL_HOOKS)
# The class that the exporter adds to the module.
PROCESSOR = "Processor"
_NEAR = 0.85


def check_hooks(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong with the names that the exporter reads and writes."""
    bound = analysis.bindings
    if not any(binding.name == "process_frame" for binding in bound):
        yield _no_process_frame(analysis)
    for hook in HOOKS:
        yield from _check_hook(analysis, hook, [binding for binding in bound if binding.name == hook])
    yield from _check_untagged_hooks(analysis, {binding.name for binding in bound})
    yield from _check_near_hooks(analysis, bound)
    for binding in bound:
        if binding.name == PROCESSOR:
            message = f"the name {PROCESSOR} is taken: the exporter adds a class of that name"
            yield Finding("reserved-name", analysis.name, message, "rename yours", binding.place)
        if binding.name == "byoc_kit" and not is_kit_import(binding.node):
            message = "the name byoc_kit is taken: the exported module calls the package by it"
            yield Finding("reserved-name", analysis.name, message, "rename yours", binding.place)


def is_kit_import(node: ast.AST) -> bool:
    """Whether a node is an import that binds ``byoc_kit`` to this package."""
    if not isinstance(node, ast.Import):
        return False
    as_itself = [alias for alias in node.names if alias.asname is None and alias.name.split(".")[0] == "byoc_kit"]
    return bool(as_itself) and all(alias.asname != "byoc_kit" for alias in node.names)


def _no_process_frame(analysis: Analysis) -> Finding:
    hint = "define process_frame(frame) or process_frame(frame, params) in a tagged cell"
    untagged = untagged_cell(analysis, "process_frame")
    if untagged:
        hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
    message = "no tagged cell defines process_frame"
    return Finding("no-process-frame", analysis.name, message, hint, needs_cell=untagged)


def _check_hook(analysis: Analysis, hook: str, bound: Sequence[Binding]) -> Iterator[Finding]:
    for binding in bound[1:]:
        first = bound[0]
        # Two branches of one statement are one definition, and `process_frame = torch.compile(process_frame)` is none.
        is_same = binding.cell == first.cell and binding.statement is first.statement
        if not is_same and not _reads_itself(binding):
            message = f"{hook} is defined a second time (first in cell {first.cell.number})"
            yield Finding("shadowed-hook", analysis.name, message, "keep one of them tagged", binding.place)
    for binding in bound:
        if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from check_signature(analysis, binding.cell, binding.node)


def _check_near_hooks(analysis: Analysis, bound: Sequence[Binding]) -> Iterator[Finding]:
    nodes = [node for cell in analysis.exported for node in cell.nodes]
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    own = {binding.name for binding in bound}  # one that is there has its name
    for binding in bound:
        near = get_close_matches(binding.name, HOOKS, 1, _NEAR)
        if not near or near[0] in own or binding.name in {*HOOKS, *read}:
            continue
        if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
            message = f"nothing calls {binding.name}; the server calls {near[0]}"
            place = head(binding.cell, binding.node)
            yield Finding("hook-name", analysis.name, message, f"rename it to {near[0]}", place)


def _check_untagged_hooks(analysis: Analysis, tagged: AbstractSet[str]) -> Iterator[Finding]:
    for hook in OPTIONAL_HOOKS:
        untagged = untagged_cell(analysis, hook)
        if untagged and hook not in tagged:
            message = f"{hook} is not in the tagged cells, so the container does not call it"
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`, or rename it"
            yield Finding("untagged-hook", analysis.name, message, hint, needs_cell=untagged)


def _reads_itself(binding: Binding) -> bool:
    loaded = (n.id for n in ast.walk(binding.statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return isinstance(binding.statement, ast.Assign | ast.AnnAssign) and binding.name in loaded
