"""The names that the exporter reads or writes: ``process_frame``, the optional hooks, ``Params``, ``Processor``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.names import Binding, bindings, untagged_cell
from byoc_kit.notebook.read import TAG, Notebook

# In the order of their use; `process_frame` is always there.
OPTIONAL_HOOKS = ("load_model", "process_audio", "on_stream_start", "on_stream_stop")
# The class that the exporter adds to the module.
PROCESSOR = "Processor"


def check_hooks(notebook: Notebook) -> Iterator[Finding]:
    """Yield what is wrong with the names that the exporter reads and writes."""
    bound = bindings(notebook.exported)
    yield from _check_process_frame(notebook, [b for b in bound if b.name == "process_frame"])
    for binding in bound:
        place = binding.cell.number, binding.line
        if binding.name == PROCESSOR:
            message = f"the name {PROCESSOR} is taken: the exporter adds a class of that name"
            yield Finding("reserved-name", notebook.name, message, "rename yours", *place)
        if binding.name == "byoc_kit" and not is_kit_import(binding.node):
            message = "the name byoc_kit is taken: the exported module calls the package by it"
            yield Finding("reserved-name", notebook.name, message, "rename yours", *place)


def is_kit_import(node: ast.AST) -> bool:
    """Whether a node is an import that binds ``byoc_kit`` to this package."""
    if not isinstance(node, ast.Import):
        return False
    as_itself = [alias for alias in node.names if alias.asname is None and alias.name.split(".")[0] == "byoc_kit"]
    return bool(as_itself) and all(alias.asname != "byoc_kit" for alias in node.names)


def _check_process_frame(notebook: Notebook, bound: list[Binding]) -> Iterator[Finding]:
    if not bound:
        message = "no tagged cell defines process_frame"
        hint = "define process_frame(frame) or process_frame(frame, params) in a tagged cell"
        untagged = untagged_cell(notebook, "process_frame")
        if untagged:
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
        yield Finding("no-process-frame", notebook.name, message, hint)
        return
    first = bound[0]
    for other in bound[1:]:
        # Two branches of one statement are one definition, and `process_frame = torch.compile(process_frame)` is none.
        is_same = (other.cell.number, other.line) == (first.cell.number, first.line)
        if not is_same and not _reads_itself(other):
            message = f"process_frame is defined a second time (first in cell {first.cell.number})"
            place = other.cell.number, other.line
            yield Finding("two-process-frames", notebook.name, message, "keep one of them tagged", *place)


def _reads_itself(binding: Binding) -> bool:
    loaded = (n.id for n in ast.walk(binding.statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return isinstance(binding.statement, ast.Assign | ast.AnnAssign) and binding.name in loaded
