"""Whether process_frame returns a floating tensor of 0 to 255, where those of frames are 0 to 1."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import own_nodes
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import Function, bindings

SCALED_TENSOR = Rule(
    code="scaled-tensor",
    severity=Severity.WARNING,
    about="process_frame returns a floating tensor of 0 to 255, and those of frames are 0 to 1",
    why="What is above 1 counts as 1. So nearly all of the picture is white.",
    example="""\
def process_frame(frame):
    return frame.replace(tensor=(1 - frame.tensor) * 255)
""",
    ignorable=True,
)

# What gives a tensor with the same values.
_KEEPING = {"clone", "contiguous", "detach", "flip", "roll"}


def check_scale(analysis: Analysis) -> Iterator[Finding]:
    """Yield the product of a frame's own tensor and 255, where process_frame returns it as it is.

    Only what is surely in 0 to 1 before is looked at, and only where nothing is changed in place.
    """
    for binding in bindings(analysis):
        if binding.name != "process_frame" or not isinstance(binding.node, Function):
            continue
        arguments = [*binding.node.args.posonlyargs, *binding.node.args.args]
        nodes = list(own_nodes(binding.node))
        if not arguments:
            continue
        frame, values = arguments[0].arg, _bound_once(nodes)
        if any(_may_change(node, frame, values) for node in nodes):
            continue
        for node in nodes:
            product = _named(_picture(node.value, frame), values) if isinstance(node, ast.Return) else None
            if product is not None and _is_scaled(product, frame, values):
                message = "process_frame returns a floating tensor of 0 to 255, and those of frames are 0 to 1"
                hint = "leave the factor out, or write .to(torch.uint8) behind it"
                yield Finding(SCALED_TENSOR, analysis.name, message, hint, Place.of(binding.cell, product))


def _picture(returned: ast.expr | None, frame: str) -> ast.expr | None:
    """Return the tensor in ``frame.replace(tensor=...)``, and anything else as it is."""
    match returned:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="replace"),
            keywords=[ast.keyword(arg="tensor", value=tensor)],
        ) if name == frame:
            return tensor
    return returned


def _is_scaled(node: ast.expr, frame: str, values: Mapping[str, ast.expr]) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=255)):
            return _is_up_to_one(left, frame, values)
        case ast.BinOp(left=ast.Constant(value=255), op=ast.Mult(), right=right):
            return _is_up_to_one(right, frame, values)
    return False


def _is_up_to_one(node: ast.expr, frame: str, values: Mapping[str, ast.expr]) -> bool:
    """Whether an expression surely has the values of a frame's tensor, or these inverted."""
    match node:
        case ast.Name(id=name) if name in values:
            return _is_up_to_one(values[name], frame, {other: values[other] for other in values if other != name})
        case ast.Attribute(value=ast.Name(id=name), attr="tensor"):
            return name == frame
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _KEEPING:
            return _is_up_to_one(value, frame, values)
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=value):
            return _is_up_to_one(value, frame, values)
    return False


def _named(node: ast.expr | None, values: Mapping[str, ast.expr]) -> ast.expr | None:
    """Return what a name is bound to, and anything else as it is."""
    return values.get(node.id, node) if isinstance(node, ast.Name) else node


def _bound_once(nodes: list[ast.AST]) -> dict[str, ast.expr]:
    """Return the names that one plain assignment binds, and to what."""
    times = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    assigned = (node for node in nodes if isinstance(node, ast.Assign) and len(node.targets) == 1)
    found = ((node.targets[0], node.value) for node in assigned)
    return {target.id: value for target, value in found if isinstance(target, ast.Name) and times[target.id] == 1}


def _may_change(node: ast.AST, frame: str, values: Mapping[str, ast.expr]) -> bool:
    """Whether a node may change the frame or a tensor in place: by itself, or by a function that is given it."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) if name == frame:
            return True
        case ast.AugAssign() | ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Attribute(attr="replace")):
            return False
        case ast.Call(func=ast.Attribute(attr=method)) if method.endswith("_"):
            return True
        case ast.Call(args=args, keywords=keywords):
            given = [*args, *(keyword.value for keyword in keywords)]
            names = {part.id for one in given for part in ast.walk(one) if isinstance(part, ast.Name)}
            return not names.isdisjoint({frame, *values})
    return False
