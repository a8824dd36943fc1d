"""What of the module grows with each frame, until the container has no memory left."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from byoc_kit.core.capability import Capability
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import called_by
from byoc_kit.notebook.declarations import read_capability
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import Function, bindings
from byoc_kit.notebook.rules.state import state_names

GROWING_STATE = Rule(
    code="growing-state",
    severity=Severity.WARNING,
    about="each frame makes a list or dictionary of the module longer, until the memory is full",
    why=(
        "A stream may last for days, with 30 frames a second. What grows with each of them takes all memory in the end."
    ),
    example="""\
times = []

def process_frame(frame):
    times.append(frame.time_s)
    return frame
""",
    ignorable=True,
)

_RUN_BY_FRAMES = ("process_frame", "process_audio")
_ADDING = {"append", "appendleft", "extend", "extendleft", "insert"}
_TAKING = {"clear", "pop", "popitem", "popleft", "remove"}
_WITHOUT_BOUND = {"OrderedDict", "defaultdict", "deque", "dict", "list"}
_TIMES = {"pts", "time_s", "timestamp"}


def check_growth(analysis: Analysis) -> Iterator[Finding]:
    """Yield the lists and dictionaries of the module that each frame makes longer, and none shorter.

    To empty them when a stream starts is not enough: a stream may last for days. Nothing is said where several streams
    would share them, which is an error.
    """
    capability = read_capability(analysis)
    if isinstance(capability, Capability) and capability.capacity > 1:
        return
    bound = bindings(analysis)
    kept = state_names(bound) & _without_bound(node for cell in analysis.cells for node in cell.nodes)
    run = list(called_by(analysis, _RUN_BY_FRAMES))
    bounded = {name for _, function in run for name in _bounded(function, {one.name for _, one in run})}
    for cell, function in run:
        said = set(bounded | _own_names(function))
        for name, node in _grown(function):
            if name in kept - said:
                said.add(name)
                message = f"{name} grows with each frame, and nothing takes from it while a stream runs"
                hint = "bound it, as with collections.deque(maxlen=N), or take the oldest out"
                yield Finding(GROWING_STATE, analysis.name, message, hint, Place.of(cell, node))


def _without_bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are bound to lists, dictionaries and deques without a bound, and to nothing else."""
    unbounded, others = set(), set()
    for name, value in (pair for node in nodes for pair in _assigned(node)):
        if _is_unbounded(value):
            unbounded.add(name)
        elif not (isinstance(value, ast.Constant) and value.value is None) and not _is_longer(name, value):
            others.add(name)
    return unbounded - others


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement binds, each with its value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _unpacked(target, value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for each, its in zip(targets, values, strict=True):
                yield from _unpacked(each, its)
        case ast.Tuple(elts=targets), _:
            yield from ((each.id, value) for each in targets if isinstance(each, ast.Name))


def _is_unbounded(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.ListComp() | ast.Dict() | ast.DictComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
            has_maxlen = len(args) > 1 or any(keyword.arg == "maxlen" for keyword in keywords)
            return name in _WITHOUT_BOUND and not (name == "deque" and has_maxlen)
    return False


def _grown(function: Function) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a function makes longer, but for what it does only where the length, or what is there, allows it."""
    nodes = list(ast.walk(function))
    counted = {n.target.id for n in nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    counters = counted - {name for node in nodes for name, _ in _assigned(node)}
    waiting: list[tuple[ast.AST, frozenset[str]]] = [(function, frozenset())]
    while waiting:
        node, tested = waiting.pop()
        name = _longer(node, counters)
        if name and name not in tested:
            yield name, node
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            tested |= _names(node.test)
        waiting += [(child, tested) for child in reversed(list(ast.iter_child_nodes(node)))]


def _longer(node: ast.AST, counters: set[str]) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _ADDING:
            return name
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add()):
            return name
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_longer(name, value):
            return name
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Attribute(attr=key), ctx=ast.Store()) if key in _TIMES:
            return name
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=key), ctx=ast.Store()) if key in counters:
            return name
    return ""


def _is_longer(name: str, value: ast.expr) -> bool:
    """Whether a value is what ``name`` has, and something more: ``frames + [frame]``, ``[*frames, frame]``."""
    match value:
        case ast.BinOp(left=ast.Name(id=left), op=ast.Add()):
            return left == name
        case ast.List(elts=parts):
            return any(
                isinstance(p, ast.Starred) and isinstance(p.value, ast.Name) and p.value.id == name for p in parts
            )
    return False


def _bounded(function: Function, run: set[str]) -> Iterator[str]:
    """Yield what a function makes shorter, or may: it hands it to another one of the notebook."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _TAKING:
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Del()):
                yield name
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(), ctx=ast.Store()):
                yield name
            case ast.Assign() | ast.AnnAssign():
                yield from (name for name, value in _assigned(node) if not _is_longer(name, value))
            case ast.Call(func=ast.Name(id=callee), args=args) if callee in run:
                yield from (argument.id for argument in args if isinstance(argument, ast.Name))
            case ast.If(test=test, body=body) if isinstance(body[-1], ast.Return | ast.Raise):
                yield from _names(test)


def _own_names(function: Function) -> set[str]:
    """Return the names that a function has for itself."""
    nodes = list(ast.walk(function))
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return (stored - declared) | {node.arg for node in nodes if isinstance(node, ast.arg)}


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
