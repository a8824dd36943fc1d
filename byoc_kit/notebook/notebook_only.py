"""What a tagged cell must not use, since only a notebook has it: display, IPython, widgets, the preview."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.names import NOTEBOOK_NAMES, bindings, tree_of
from byoc_kit.notebook.read import Notebook

_MODULES = {"IPython", "anywidget", "google.colab", "ipykernel", "ipywidgets", "byoc_kit.preview", "byoc_kit.regress"}
_OF_THE_KIT = {"preview", "regress"}
_HINT = "move it to a cell without the tag"


def check_notebook_only(notebook: Notebook) -> Iterator[Finding]:
    """Yield uses of what no container has."""
    own = {binding.name for binding in bindings(notebook.exported)}
    for cell in notebook.exported:
        for node in ast.walk(tree_of(cell)):
            for name in _imported(node):
                message = f"{name} is for notebooks, and the container has none"
                yield Finding("notebook-only", notebook.name, message, _HINT, Place.of(cell, node))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NOTEBOOK_NAMES - own:
                message = f"{node.id} is there in notebooks only"
                yield Finding("notebook-only", notebook.name, message, _HINT, Place.of(cell, node))


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield what an import takes of the modules that are for notebooks."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if is_for_notebooks(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        if is_for_notebooks(node.module):
            yield node.module
        elif node.module == "byoc_kit":
            yield from (f"byoc_kit.{alias.name}" for alias in node.names if alias.name in _OF_THE_KIT)


def is_for_notebooks(name: str) -> bool:
    """Whether a dotted name is of a module that no container has a use for."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in _MODULES for count in range(1, len(parts) + 1))
