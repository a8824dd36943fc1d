"""Texts and paths that can be known without running the tagged cells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from byoc_kit.notebook.calls import Scope, dotted_name
from byoc_kit.notebook.constants import LONGEST, NotConstantError, constant

_PATH_CLASSES = {"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath"}


def text_constants(bound: Iterable[tuple[str, ast.expr]], scope: Scope) -> dict[str, str]:
    """Return the names that are bound once to a text or a path that can be known without running the cells."""
    known: dict[str, str] = {}
    for name, value in bound:
        text = literal_path(value, scope, known)
        if text is not None:
            known[name] = text
    return known


def literal_path(node: ast.expr, scope: Scope, known: Mapping[str, str]) -> str | None:
    """Return the text or the path that an expression stands for; ``None`` where only running would tell.

    ``known`` may have attributes, too, by names such as ``self.path``.
    """
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if f"{owner}.{name}" in known:
            return known[f"{owner}.{name}"]
        case ast.BinOp(left=left, op=ast.Div() | ast.Add() as operator, right=right):
            return _joined((left, right), scope, known, "/" if isinstance(operator, ast.Div) else "")
        case ast.Call(func=function, args=[_, *_] as parts, keywords=[]):
            called = dotted_name(function, scope)
            is_path = called in _PATH_CLASSES or called in {"builtins.str", "os.fspath", "os.path.join"}
            return _joined(parts, scope, known, "/") if is_path else None
    try:
        text = constant(node, scope, known)
    except NotConstantError:
        return None
    return text if isinstance(text, str) else None


def _joined(parts: Iterable[ast.expr], scope: Scope, known: Mapping[str, str], between: str) -> str | None:
    texts = [literal_path(part, scope, known) for part in parts]
    found = [text for text in texts if text is not None]
    is_whole = len(found) == len(texts) and sum(map(len, found)) <= LONGEST
    return between.join(found) if is_whole else None
