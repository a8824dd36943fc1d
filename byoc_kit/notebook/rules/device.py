"""What tagged cells put on a GPU without looking whether there is one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, calls
from byoc_kit.notebook.constants import NotConstantError, constant, constants
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import handling

NEEDS_GPU = Rule(
    code="needs-gpu",
    severity=Severity.WARNING,
    about="a tagged cell puts something on a GPU, and does not look whether there is one",
    why="The container may run on a machine without a GPU, where the call fails. It can ask first, and take the CPU.",
    example="""\
import torch

net = torch.nn.Linear(1, 1).cuda()
""",
    ignorable=True,
)

_CUDA = re.compile(r"cuda(?::\d+)?")
# A condition that has to do with the device, such as `if use_cuda`.
_ASKS = re.compile(r"is_available|device_count|cuda|gpu|device", re.IGNORECASE)
_TAKES_A_DEVICE = {"torch.device": "device", "torch.set_default_device": "device", "torch.cuda.set_device": "device"}
_HINT = 'write .to("cuda" if torch.cuda.is_available() else "cpu")'


def check_gpu(analysis: Analysis) -> Iterator[Finding]:
    """Yield the calls that need a GPU, where nothing before them asks for one and nothing refuses to run without."""
    trees = [cell.tree for cell in analysis.cells]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    if any(map(_refuses, nodes)):
        return
    guarded = {id(inner) for node in nodes for part in _guarded(node) for inner in ast.walk(part)}
    for call in calls(analysis):
        if id(call.node) not in guarded and (what := _needs(analysis, call)):
            message = f"{what} fails on a machine without a GPU"
            yield Finding(NEEDS_GPU, analysis.name, message, _HINT, Place.of(call.cell, call.node))


def _needs(analysis: Analysis, call: Reference) -> str:
    """Return what of a call needs a GPU; empty if nothing does."""
    given = {keyword.arg: keyword.value for keyword in call.call.keywords} if call.call else {}
    if isinstance(call.node, ast.Attribute) and call.node.attr == "cuda":
        return ".cuda()"
    for name in ("device", "map_location"):
        if name in given and (device := _device(analysis, call, given[name])):
            return f'{name}="{device}"'
    is_to = isinstance(call.node, ast.Attribute) and call.node.attr == "to"
    first = call.argument(0, "device") if is_to or call.name in _TAKES_A_DEVICE else None
    device = "" if first is None else _device(analysis, call, first)
    return device and (f'.to("{device}")' if is_to else f'{call.name}("{device}")')


def _device(analysis: Analysis, call: Reference, node: ast.expr) -> str:
    try:
        value = constant(node, call.scope, constants(analysis))
    except NotConstantError:
        return ""
    return value if isinstance(value, str) and _CUDA.fullmatch(value) else ""


def _refuses(node: ast.AST) -> bool:
    """Whether a node is an ``assert`` of a GPU, or raises where there is none."""
    match node:
        case ast.Assert(test=test) | ast.If(test=test, body=[*_, ast.Raise()]):
            return _asks(test)
    return False


def _guarded(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that run only where a GPU was asked for, or whose failure is handled."""
    match node:
        case ast.If(test=test, body=body, orelse=other) if _asks(test):
            return [*body, *other]
        case ast.IfExp(test=test, body=value, orelse=other_value) if _asks(test):
            return [value, other_value]
        case ast.BoolOp(values=[first, *others]) if _asks(first):
            return list(others)
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            ends = (at for at, statement in enumerate(body, 1) if _returns_after_asking(statement))
            return list(body[next(ends, len(body)) :])
    return list(handling(node, {"RuntimeError", "AssertionError"}))


def _returns_after_asking(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=test, body=[*_, ast.Return()]):
            return _asks(test)
    return False


def _asks(test: ast.expr) -> bool:
    return any(
        _ASKS.search(part.attr if isinstance(part, ast.Attribute) else part.id)
        for part in ast.walk(test)
        if isinstance(part, ast.Attribute | ast.Name)
    )
