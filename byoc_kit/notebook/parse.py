"""Source to tree, whatever the source is."""

from __future__ import annotations

import ast
import warnings

# The name analysis recurses, three calls a level; Python stops at 1000 calls.
_MAX_DEPTH = 200


def parse(source: str) -> ast.Module:
    """Parse a cell or a module. Raises nothing but :class:`SyntaxError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the notebook has shown them where the cell ran
            # besides the parser, which lets `return` and `await` outside a function through
            compile(source, "<cell>", "exec", dont_inherit=True)
            tree = ast.parse(source)
    except (RecursionError, MemoryError):
        raise SyntaxError("too deeply nested") from None
    except ValueError as error:  # a NUL character, or half a surrogate pair
        raise SyntaxError(str(error)) from None
    if _depth(tree) > _MAX_DEPTH:
        raise SyntaxError("too deeply nested")
    return tree


def unparse(node: ast.AST) -> str:
    """Return a node as source, or an ellipsis for one that cannot be written, such as a hexadecimal of a mile."""
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return "..."


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
