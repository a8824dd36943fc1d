"""What process_frame keeps of frames from one stream to the next, which may have another size."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from byoc_kit.capability import Capability
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.state import called_by, changes, state_names

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

# What is asked of a picture and has none of its sides, or is told how large it is.
_NUMBERS = {
    *("count_nonzero", "item", "max", "mean", "median", "min", "norm", "std", "sum", "var"),
    *("height", "ndim", "shape", "size", "time_base", "time_s", "timestamp", "width"),
}
_PLAIN = {"bool", "float", "int", "len", "str"}
# What makes a picture of the size that it is told, and what counts values in bins.
_RESIZING = {"adaptive_avg_pool2d", "adaptive_max_pool2d", "interpolate", "resize", "resized_crop"}
_COUNTING = {"calcHist", "histc", "histogram", "histogram2d"}
_SIZES = {"height", "shape", "size", "width"}


def check_kept_frames(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names of the module that process_frame makes of frames, and that no stream sets back.

    Nothing is said where their size is looked at, where a buffer is kept for each size, nor where several streams would
    share them, which is an error.
    """
    if isinstance(analysis.capability, Capability) and analysis.capability.capacity > 1:
        return
    state = state_names(analysis.bindings)
    reset = {
        name
        for _, function in called_by(analysis.bindings, ("on_stream_start", "on_stream_stop"))
        for name, _ in changes(function, state)
    }
    fixed = _Fixed.of(analysis)
    run = list(called_by(analysis.bindings, ("process_frame",)))
    measured = {name for _, function in run for name in _measured(function)}
    said = reset | measured
    for cell, function in run:
        for name, node in changes(function, state - said):
            if name not in said and not _has_a_size_as_key(function, node) and _is_of_a_frame(function, node, fixed):
                said.add(name)
                message = f"{function.name} keeps {name} from stream to stream, and the next may have another size"
                hint = "set it back in on_stream_start(params)"
                yield Finding("kept-frame", analysis.name, message, hint, Place.of(cell, node))


class _Fixed(NamedTuple):
    """The names of the module that stand for one number, or for one size, for good."""

    numbers: set[str]
    sizes: set[str]

    @classmethod
    def of(cls, analysis: Analysis) -> _Fixed:
        fixed = cls({name for name, value in analysis.constants.items() if isinstance(value, int)}, set())
        fixed.sizes.update(name for name, value in analysis.bound_once if fixed.is_size(value))
        return fixed

    def is_size(self, node: ast.expr) -> bool:
        """Whether an expression is a size with all its sides: ``(64, 64)``."""
        match node:
            case ast.Tuple(elts=[_, _, *_] as sides) | ast.List(elts=[_, _, *_] as sides):
                return all(self._is_number(side) for side in sides)
            case ast.Name(id=name):
                return name in self.sizes
        return False

    def _is_number(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=int()):
                return True
            case ast.Name(id=name):
                return name in self.numbers
        return False


def _is_of_a_frame(function: ast.FunctionDef | ast.AsyncFunctionDef, changed: ast.AST, fixed: _Fixed) -> bool:
    """Whether what a name is changed to is made of what the function is given."""
    given = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)} - {"params"}
    statements = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)]
    pictures = set(given)
    for statement in sorted(statements, key=lambda node: node.lineno):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if statement.value is not None and _uses(statement.value, pictures, fixed):
            if any(part is changed for target in targets for part in ast.walk(target)):
                return True
            pictures |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return isinstance(changed, ast.Call) and any(_uses(argument, pictures, fixed) for argument in changed.args)


def _has_a_size_as_key(function: ast.AST, changed: ast.AST) -> bool:
    """Whether something is kept by the size of a frame: ``buffers[frame.pixels.shape] = ...``."""
    match changed:
        case ast.Subscript(slice=key) | ast.Call(func=ast.Attribute(attr="setdefault"), args=[key, *_]):
            assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
            sizes = {
                t.id for node in assigned if _is_a_size(node.value) for t in node.targets if isinstance(t, ast.Name)
            }
            return _is_a_size(key) or any(isinstance(part, ast.Name) and part.id in sizes for part in ast.walk(key))
    return False


def _is_a_size(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _SIZES for part in ast.walk(node))


def _uses(node: ast.expr, pictures: set[str], fixed: _Fixed) -> bool:
    """Whether an expression is made of pictures, and not of what has the same size whatever they have."""
    match node:
        case ast.Attribute(attr=name) if name in _NUMBERS:
            return False
        case ast.Call(func=ast.Attribute(attr=name), keywords=[]) if name in _NUMBERS:
            return False
        case ast.Call() if _is_of_fixed_size(node, fixed):
            return False
        case ast.Compare():
            return False
        case ast.Name(id=name):
            return name in pictures
    return any(_uses(child, pictures, fixed) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _is_of_fixed_size(call: ast.Call, fixed: _Fixed) -> bool:
    """Whether what a call returns has the same size for every frame."""
    match call.func:
        case ast.Name(id=name) if name in _PLAIN:
            return True
        case ast.Attribute(attr=name) | ast.Name(id=name):
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            return name in _COUNTING or (name in _RESIZING and any(fixed.is_size(argument) for argument in given))
    return False


def _measured(function: ast.AST) -> Iterator[str]:
    """Yield the names whose size a function looks at."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in _SIZES:
            yield from (part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))
