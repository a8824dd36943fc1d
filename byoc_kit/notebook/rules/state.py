"""State that outlives a call: shared between streams, bound to a frame size, or changed by another cell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from byoc_kit.core.capability import Capability
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import called_by, imported_names
from byoc_kit.notebook.constants import bound_once, constants
from byoc_kit.notebook.declarations import read_capability
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import HOOKS, Binding, bindings, bindings_in

SHARED_STATE = Rule(
    code="shared-state",
    severity=Severity.ERROR,
    about="process_frame changes what several streams would share",
    why=(
        "With a capacity of several streams, one module serves them all. What a frame of one stream changes, the "
        "others see."
    ),
    example="""\
from byoc_kit import Capability

capability = Capability(model_id="tint", capacity=4)
seen = []

def process_frame(frame):
    seen.append(frame)
    return frame
""",
    ignorable=True,
    is_said_once=True,
)
SHARED_START = Rule(
    code="shared-start",
    severity=Severity.WARNING,
    about="on_stream_start or on_stream_stop changes what several streams share",
    why=(
        "With a capacity of several streams, one starts or ends while the others run. What it sets in the module is "
        "then set for all of them."
    ),
    example="""\
from byoc_kit import Capability

capability = Capability(model_id="tint", capacity=4)
background = None

def on_stream_start(params):
    global background
    background = None

def process_frame(frame):
    return frame if background is None else frame.tensor - background
""",
    ignorable=True,
    is_said_once=True,
)
KEPT_FRAME = Rule(
    code="kept-frame",
    severity=Severity.WARNING,
    about="process_frame keeps what it makes of a frame, and no stream sets it back",
    why=(
        "The next stream may have pictures of another size. What was kept of the last one then does not fit, or shows"
        " in it."
    ),
    example="""\
previous = None

def process_frame(frame):
    global previous
    previous = frame.tensor
    return frame
""",
    ignorable=True,
)
REBOUND_NAME = Rule(
    code="rebound-name",
    severity=Severity.WARNING,
    about="a cell without the tag binds a name anew, so that notebook and bundle have different values",
    why="In the notebook the name has the value of the last cell that ran. The bundle has that of the tagged cell.",
    example="""\
# %% byoc
GAIN = 1.0

# %%
GAIN = 2.0

# %% byoc
def process_frame(frame):
    return frame.tensor * GAIN
""",
    ignorable=True,
)

_RUN_BY_FRAMES = ("process_frame", "process_audio")
_RUN_AT_THE_ENDS = ("on_stream_start", "on_stream_stop")
_OWN_TO_A_STREAM = "keep it in byoc_kit.stream_state(), which each stream has for itself, or set capacity=1"
_CHANGING = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft"),
    *("remove", "reverse", "rotate", "setdefault", "sort", "update", "copy_", "fill_", "zero_", "mul_", "add_"),
}
_CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)

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

_INJECTED = "injected-parameters"
_READ_BY_THE_SERVER = {*HOOKS, "Params", "capability"}


def check_shared_state(analysis: Analysis) -> Iterator[Finding]:
    """Yield what hooks change in the module, where the capability offers more than one stream.

    What frames change is an error. What only a stream's start or end changes is a warning: it may count the streams.
    """
    capability = read_capability(analysis)
    if not isinstance(capability, Capability) or capability.capacity < 2:
        return
    bound = bindings(analysis)
    state, said = state_names(bound), set[str]()
    for rule, hooks in ((SHARED_STATE, _RUN_BY_FRAMES), (SHARED_START, _RUN_AT_THE_ENDS)):
        found = [
            (cell, function.name, name, node)
            for cell, function in called_by(analysis, hooks)
            for name, node in changes(function, state - said)
        ]
        said |= {name for *_, name, _ in found}
        for cell, by, name, node in found:
            message = f"{by} changes {name}, which {capability.capacity} streams would share"
            yield Finding(rule, analysis.name, message, _OWN_TO_A_STREAM, Place.of(cell, node))


def state_names(bound: Iterable[Binding]) -> set[str]:
    """Return the names of the module that stand for values, and not for code."""
    return {binding.name for binding in bound if not isinstance(binding.node, _CODE)}


def changes(function: ast.AST, state: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a function changes of the module's state."""
    nodes = list(ast.walk(function))
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    shared = state - (stored - declared) - arguments
    for node in nodes:
        name = _changed(node, declared)
        if name in shared:
            yield name, node


def _changed(node: ast.AST, declared: set[str]) -> str:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in declared:
            return name
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            return _root(node)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _CHANGING:
            return _root(value)
    return ""


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def check_kept_frames(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names of the module that process_frame makes of frames, and that no stream sets back.

    Nothing is said where their size is looked at, where a buffer is kept for each size, nor where several streams would
    share them, which is an error.
    """
    capability = read_capability(analysis)
    if isinstance(capability, Capability) and capability.capacity > 1:
        return
    state = state_names(bindings(analysis))
    reset = {name for _, function in called_by(analysis, _RUN_AT_THE_ENDS) for name, _ in changes(function, state)}
    fixed = _Fixed.of(analysis)
    run = list(called_by(analysis, ("process_frame",)))
    measured = {name for _, function in run for name in _measured(function)}
    said = reset | measured
    for cell, function in run:
        for name, node in changes(function, state - said):
            if name not in said and not _has_a_size_as_key(function, node) and _is_of_a_frame(function, node, fixed):
                said.add(name)
                message = f"{function.name} keeps {name} from stream to stream, and the next may have another size"
                hint = "keep it in byoc_kit.stream_state(), or set it back in on_stream_start(params)"
                yield Finding(KEPT_FRAME, analysis.name, message, hint, Place.of(cell, node))


class _Fixed(NamedTuple):
    """The names of the module that stand for one number, or for one size, for good."""

    numbers: set[str]
    sizes: set[str]

    @classmethod
    def of(cls, analysis: Analysis) -> _Fixed:
        fixed = cls({name for name, value in constants(analysis).items() if isinstance(value, int)}, set())
        fixed.sizes.update(name for name, value in bound_once(analysis) if fixed.is_size(value))
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


def check_rebound(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names that tagged cells use, and of which the notebook has another value when it has run."""
    last = {binding.name: binding for binding in bindings(analysis)}
    later = _READ_BY_THE_SERVER | {name for cell in analysis.cells for name in _read_later(cell.tree)}
    loads = ((n, cell) for cell in analysis.cells for n in cell.nodes if isinstance(n, ast.Name))
    at_once = {node.id: cell.number for node, cell in loads if isinstance(node.ctx, ast.Load)}
    said: set[str] = set()
    for again in reversed(bindings_in(analysis.notebook.untagged)):
        own = last.get(again.name)
        if own is None or own.name in said or again.cell.number < own.cell.number or _is_same(own, again):
            continue
        if own.name in later or at_once.get(own.name, 0) > again.cell.number:
            said.add(own.name)
            yield from _check_binding(analysis, own, again)


def _check_binding(analysis: Analysis, own: Binding, again: Binding) -> Iterator[Finding]:
    who = "papermill's" if _INJECTED in again.cell.tags else "not tagged"
    message = f"{again.cell.label}, {who}, binds {own.name} anew, and the bundle has the value of this cell"
    hint = f"write the value here, or use another name in cell {again.cell.number}"
    yield Finding(REBOUND_NAME, analysis.name, message, hint, own.place)


def _is_same(own: Binding, again: Binding) -> bool:
    """Whether both bind the name to the same: the same import, or the same text."""
    imported = imported_names(own.node).get(own.name)
    if imported is not None:
        return imported == imported_names(again.node).get(again.name)
    return ast.dump(own.statement) == ast.dump(again.statement)


def _read_later(tree: ast.Module) -> Iterator[str]:
    """Yield the names that functions read, when they are called."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            declared = {n for node in ast.walk(function) if isinstance(node, ast.Global) for n in node.names}
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)} - declared
            yield from {node.id for node in names if isinstance(node.ctx, ast.Load)} - stored - arguments
