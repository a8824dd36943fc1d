"""The exported module: the tagged cells as they stand, and a pytrickle ``FrameProcessor`` that calls them."""

from __future__ import annotations

from dataclasses import dataclass

from byoc_kit.notebook.check import require_exportable
from byoc_kit.notebook.hooks import OPTIONAL_HOOKS, PROCESSOR, is_kit_import
from byoc_kit.notebook.names import bindings
from byoc_kit.notebook.read import Notebook, one_line
from byoc_kit.sourcemap import CellSpan

_LINE_LENGTH = 88


@dataclass(frozen=True)
class Module:
    """The text of ``processor.py`` and where its cells stand in it."""

    source: str
    cells: tuple[CellSpan, ...]


def render_module(notebook: Notebook) -> Module:
    """Render ``processor.py``. Raises :class:`~byoc_kit.notebook.read.NotebookError` where the notebook has faults."""
    require_exportable(notebook)
    title, name = _in_docstring(notebook.title), one_line(notebook.name)
    lines = [
        f'"""{title}{"" if title.endswith((".", "!", "?")) else "."}',
        "",
        f"Exported from {_in_docstring(name)} by byoc-kit: change the notebook, not this file.",
        '"""',
        "",
    ]
    spans = []
    for cell in notebook.exported:
        lines.append(f"# %% {name}, cell {cell.number}")
        spans.append(CellSpan(cell.number, len(lines) + 1, len(cell.lines)))
        lines += [*cell.lines, "", ""]
    lines += ["# %% what byoc-kit serves", *_processor(notebook, title)]
    return Module("\n".join(lines) + "\n", tuple(spans))


def _processor(notebook: Notebook, title: str) -> list[str]:
    bound = bindings(notebook.exported)
    names = {binding.name for binding in bound}
    has_kit = any(binding.node is binding.statement and is_kit_import(binding.node) for binding in bound)
    arguments = ["process_frame", *(f"{hook}={hook}" for hook in OPTIONAL_HOOKS if hook in names)]
    hooks = [f"    hooks = byoc_kit.Hooks.of({', '.join(arguments)})"]
    if len(hooks[0]) > _LINE_LENGTH:
        hooks = ["    hooks = byoc_kit.Hooks.of(", *(f"        {argument}," for argument in arguments), "    )"]
    return [
        *([] if has_kit else ["import byoc_kit", "", ""]),
        f"class {PROCESSOR}(byoc_kit.FrameProcessor):",
        f'    """{title}, as a pytrickle FrameProcessor."""',
        "",
        *hooks,
    ]


def _in_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
