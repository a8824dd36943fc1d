"""The exported module: the tagged cells as they stand, and a pytrickle ``FrameProcessor`` that calls them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from byoc_kit.notebook.check import PROCESSOR, require_exportable
from byoc_kit.notebook.read import Notebook
from byoc_kit.sourcemap import CellSpan

# Hooks in the order of their use; `process_frame` is always there.
_HOOKS = ("load_model", "on_stream_start", "process_frame", "on_stream_stop")


@dataclass(frozen=True)
class Module:
    """The text of ``processor.py`` and where its cells stand in it."""

    source: str
    cells: tuple[CellSpan, ...]


def render_module(notebook: Notebook) -> Module:
    """Render ``processor.py``. Raises :class:`~byoc_kit.notebook.read.NotebookError` where the notebook has faults."""
    require_exportable(notebook)
    title = notebook.title.replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        f'"""{title}.',
        "",
        f"Exported from {notebook.name} by byoc-kit: change the notebook, not this file.",
        '"""',
    ]
    spans = []
    for cell in notebook.exported:
        lines += ["", f"# %% {notebook.name}, cell {cell.number}"]
        source = cell.source.rstrip().splitlines()
        spans.append(CellSpan(cell.number, len(lines) + 1, len(source)))
        lines += source
    names = set(_top_level_names(notebook))
    lines += ["", "# %% what byoc-kit serves"]
    if "byoc_kit" not in names:
        lines += ["import byoc_kit", ""]
    arguments = [f"{hook}={hook}" for hook in _HOOKS if hook in names]
    if "Params" in names:
        arguments.insert(0, "params_type=Params")
    lines += [
        f"class {PROCESSOR}(byoc_kit.FrameProcessor):",
        f'    """{title}, as a pytrickle FrameProcessor."""',
        "",
        f"    hooks = byoc_kit.Hooks({', '.join(arguments)})",
    ]
    return Module("\n".join(lines) + "\n", tuple(spans))


def imported_modules(notebook: Notebook) -> set[str]:
    """Return the top-level modules that the tagged cells import, at whatever depth."""
    return {
        name.split(".")[0]
        for cell in notebook.exported
        for node in ast.walk(ast.parse(cell.source))
        for name in _imports(node)
    }


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _top_level_names(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.exported:
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield from (alias.asname or alias.name for alias in node.names)
            elif isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
