"""Whether a hook can be called as the server calls it, and says no other than that."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.parse import unparse
from byoc_kit.notebook.read import Cell

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

Function = ast.FunctionDef | ast.AsyncFunctionDef

# What each hook is given by position, and what it may be given by name.
_GIVEN = {
    "process_frame": (1, ("params",)),
    "process_audio": (1, ("params",)),
    "load_model": (0, ()),
    "on_stream_start": (1, ()),
    "on_stream_stop": (0, ()),
}
_WRITE = {
    "process_frame": "write process_frame(frame) or process_frame(frame, params)",
    "process_audio": "write process_audio(frame) or process_audio(frame, params)",
    "load_model": "write load_model()",
    "on_stream_start": "write on_stream_start(params)",
    "on_stream_stop": "write on_stream_stop()",
}
# Annotations of a result that can be neither a picture nor sound. Others may be aliases: nothing is said of them.
_NO_RESULT = {"bool", "bytes", "complex", "dict", "float", "int", "set", "str"}
_NO_PICTURE = {*_NO_RESULT, "list", "tuple", "AudioFrame"}
_WRONG_RESULTS = {"process_frame": _NO_PICTURE, "process_audio": {*_NO_RESULT, "VideoFrame"}}
_NO_FRAME = {*_NO_RESULT, "NDArray", "Tensor", "ndarray"}
_WRONG_FRAMES = {"process_frame": {*_NO_FRAME, "AudioFrame"}, "process_audio": {*_NO_FRAME, "VideoFrame"}}
# Where what the annotation says is to be had.
_PARTS = {
    "process_frame": "it is given a VideoFrame, which has .tensor and .pixels",
    "process_audio": "it is given an AudioFrame, which has .samples",
}


def check_signature(analysis: Analysis, cell: Cell, function: Function) -> Iterator[Finding]:
    """Yield what is wrong with the arguments and the annotations of a hook."""
    name = function.name
    message = _cannot_be_called(function)
    if message:
        yield Finding("hook-signature", analysis.name, message, _WRITE[name], head(cell, function))
    if _is_generator(function):
        message = f"{name} is a generator: it yields, and its result is what it returns"
        yield Finding("hook-signature", analysis.name, message, "return the result", head(cell, function))
    wrong = _annotation(function.returns) in _WRONG_RESULTS.get(name, set())
    if wrong and function.returns is not None:
        message = f"{name} is said to return {unparse(function.returns)}"
        kind = "VideoFrame" if name == "process_frame" else "AudioFrame"
        hint = f"return the {kind}, a tensor or an array, or None to drop it"
        yield Finding("hook-annotation", analysis.name, message, hint, Place.of(cell, function.returns))
    first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
    if first is not None and first.annotation and _annotation(first.annotation) in _WRONG_FRAMES.get(name, set()):
        message = f"{name} is said to take {unparse(first.annotation)}"
        yield Finding("hook-annotation", analysis.name, message, _PARTS[name], Place.of(cell, first.annotation))


def _cannot_be_called(function: Function) -> str | None:
    count, named = _GIVEN[function.name]
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if len(positional) < count and not arguments.vararg:
        return f"{function.name} takes no {'frame' if 'frame' in function.name else 'params'}"
    required = positional[count : len(positional) - len(arguments.defaults)]
    required += [a for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    unknown = [argument.arg for argument in required if argument.arg not in named and not _is_params(argument, named)]
    if unknown:
        return f"{function.name} cannot be called: nothing is there to give {unknown[0]}"
    return None


def _is_params(argument: ast.arg, named: tuple[str, ...]) -> bool:
    """Whether an argument of another name may be the parameters: it is annotated with a class of the notebook's own."""
    annotation = _annotation(argument.annotation)
    return bool(named) and annotation is not None and not hasattr(builtins, annotation)


def _annotation(node: ast.expr | None) -> str | None:
    """Return the plain name of an annotation, also of one in quotes; ``None`` for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.strip()
    if isinstance(node, ast.Subscript):
        node = node.value
    return unparse(node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else None


def _is_generator(function: Function) -> bool:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return False


def head(cell: Cell, function: Function) -> Place:
    """Return the place of the function's name."""
    line = cell.lines[function.lineno - 1]
    begin = line.find(function.name, line.find("def ") + 4) + 1
    return (
        Place.in_code(cell, function.lineno, begin, begin + len(function.name)) if begin else Place.of(cell, function)
    )
