"""Values that are known without running the tagged cells: literals, texts, paths, and names bound to one for good."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import Scope, dotted_name, module_scope
from byoc_kit.notebook.names import bindings, bound_by
from byoc_kit.notebook.notebook_file import Cell

# Of names that are each twice the one before, a text doubles with each line.
LONGEST = 4096
_PLAIN = (str, bytes, int, float, bool, type(None))

_PATH_CLASSES = {"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath"}


class NotConstantError(ValueError):
    """An expression that only running the notebook would tell."""


@part
def constants(analysis: Analysis) -> dict[str, Any]:
    """Return the names that are bound for good to a plain value, and those values."""
    known: dict[str, Any] = {}
    for name, value in bound_once(analysis):
        with suppress(NotConstantError):
            found = constant(value, module_scope(analysis), known)
            if isinstance(found, _PLAIN):  # a list may be added to
                known[name] = found
    return known


@part
def bound_once(analysis: Analysis) -> list[tuple[str, ast.expr]]:
    """Return the names that one plain assignment at the top level of the cells binds for good, and what it says.

    Left out is a name that anything else may bind, or that stands for something else in a part of a cell that
    ``Scope`` does not tell apart: a class, a comprehension, a handler.
    """
    times = Counter(binding.name for binding in bindings(analysis))
    elsewhere = {name for cell in analysis.cells for name in _elsewhere(cell)}
    found = []
    for binding in bindings(analysis):
        match binding.statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name == binding.name and times[name] == 1 and name not in elsewhere:
                found.append((name, value))
    return found


def constant(node: ast.expr, scope: Scope, known: Mapping[str, Any]) -> Any:
    """Return the value of a literal, of a ``known`` name, or of texts of such put together.

    Raises ``NotConstantError`` for anything else.
    """
    match node:
        case ast.Name(id=name) if name in known and scope.get(name, "") is None:
            return known[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined(constant(part, scope, known) for part in (left, right))
        case ast.JoinedStr(values=parts):
            return _joined(_formatted(part, scope, known) for part in parts)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise NotConstantError from None


def _formatted(part: ast.expr, scope: Scope, known: Mapping[str, Any]) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            found = constant(value, scope, known)
            if isinstance(found, str | int):
                try:
                    return str(found)
                except ValueError:  # a number of thousands of digits
                    raise NotConstantError from None
    raise NotConstantError


def _joined(parts: Iterator[Any]) -> str:
    texts = list(parts)
    if not all(isinstance(text, str) for text in texts) or sum(map(len, texts)) > LONGEST:
        raise NotConstantError
    return "".join(texts)


def _elsewhere(cell: Cell) -> Iterator[str]:
    """Yield the names that functions bind for the whole module, that are deleted, or that other scopes bind."""
    for node in cell.nodes:
        match node:
            case ast.Global(names=names):
                yield from names
            case ast.Name(id=name, ctx=ast.Del()):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.comprehension(target=target):
                yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
            case ast.ClassDef(body=body):
                yield from (name for statement in body for name, _ in bound_by(statement))


@part
def text_constants(analysis: Analysis) -> dict[str, str]:
    """Return the names that are bound for good to a text or a path, and those texts."""
    known: dict[str, str] = {}
    for name, value in bound_once(analysis):
        text = literal_path(value, module_scope(analysis), known)
        if text is not None:
            known[name] = text
    return known


def literal_path(node: ast.expr, scope: Scope, known: Mapping[str, str]) -> str | None:
    """Return the text or the path that an expression stands for; ``None`` if only running would tell.

    ``known`` may have attributes, too, by names such as ``self.path``.
    """
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if f"{owner}.{name}" in known:
            return known[f"{owner}.{name}"]
        case ast.BinOp(left=left, op=ast.Div() | ast.Add() as operator, right=right):
            return _joined_paths((left, right), scope, known, "/" if isinstance(operator, ast.Div) else "")
        case ast.Call(func=function, args=[_, *_] as parts, keywords=[]):
            called = dotted_name(function, scope)
            is_path = called in _PATH_CLASSES or called in {"builtins.str", "os.fspath", "os.path.join"}
            return _joined_paths(parts, scope, known, "/") if is_path else None
    try:
        text = constant(node, scope, known)
    except NotConstantError:
        return None
    return text if isinstance(text, str) else None


def _joined_paths(parts: Iterable[ast.expr], scope: Scope, known: Mapping[str, str], between: str) -> str | None:
    texts = [literal_path(part, scope, known) for part in parts]
    found = [text for text in texts if text is not None]
    is_whole = len(found) == len(texts) and sum(map(len, found)) <= LONGEST
    return between.join(found) if is_whole else None
