"""The names of the hooks, and those that the exported module needs for itself."""

from __future__ import annotations

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef

# In the order of their use; `process_frame` is always there.
OPTIONAL_HOOKS = ("load_model", "process_audio", "on_stream_start", "on_stream_stop")
HOOKS = ("process_frame", *OPTIONAL_HOOKS)
# The class that the exporter adds to the module.
PROCESSOR = "Processor"


def is_kit_import(node: ast.AST) -> bool:
    """Whether a node is an import that binds ``byoc_kit`` to this package."""
    if not isinstance(node, ast.Import):
        return False
    as_itself = [alias for alias in node.names if alias.asname is None and alias.name.split(".")[0] == "byoc_kit"]
    return bool(as_itself) and all(alias.asname != "byoc_kit" for alias in node.names)
