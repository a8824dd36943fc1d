"""The hooks of a notebook, ``process_frame`` and the optional ones, and whether the server can call them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import dotted_name, module_scope
from byoc_kit.notebook.cell_source import own_nodes, unparse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import (
    HOOKS,
    OPTIONAL_HOOKS,
    PROCESSOR,
    Binding,
    Function,
    bindings,
    is_kit_import,
    untagged_cell,
)
from byoc_kit.notebook.notebook_file import TAG, Cell

NO_PROCESS_FRAME = Rule(
    code="no-process-frame",
    severity=Severity.ERROR,
    about="no tagged cell defines process_frame",
    why="The container calls `process_frame` for each frame. Without it there is nothing to serve.",
    example="""\
# %% byoc
from byoc_kit import Capability

capability = Capability(model_id="tint")

# %%
def process_frame(frame):
    return frame
""",
    fixable=True,
)
HOOK_SIGNATURE = Rule(
    code="hook-signature",
    severity=Severity.ERROR,
    about="a hook cannot be called as the server calls it",
    why=(
        "The server calls each hook with what it has: a frame, and the parameters by the name `params`. It has no "
        "other value to give, so the first frame would fail."
    ),
    example="""\
def process_frame(frame, gain):
    return frame.tensor * gain
""",
)
HOOK_ANNOTATION = Rule(
    code="hook-annotation",
    severity=Severity.ERROR,
    about="a hook says that it takes or returns what the server neither gives nor takes",
    why=(
        "The annotation shows that the hook was written for something else. The server gives `process_frame` a "
        "VideoFrame, and takes back a picture or None."
    ),
    example="""\
def process_frame(frame) -> dict[str, int]:
    return {}
""",
)
NO_RETURN = Rule(
    code="no-return",
    severity=Severity.WARNING,
    about="process_frame has no return",
    why=(
        "A function without `return` returns None, and None drops the frame: no picture goes out. To write to the "
        "frame's pixels is not enough."
    ),
    example="""\
def process_frame(frame):
    frame.pixels[:] = 255 - frame.pixels
""",
    ignorable=True,
)
SHADOWED_HOOK = Rule(
    code="shadowed-hook",
    severity=Severity.ERROR,
    about="a hook is bound a second time",
    why="Python keeps the last definition only. The container would never call the first one.",
    example="""\
# %% byoc
def process_frame(frame):
    return frame

# %% byoc
from os import fspath as process_frame
""",
)
UNTAGGED_HOOK = Rule(
    code="untagged-hook",
    severity=Severity.WARNING,
    about="only a cell without the tag defines a hook: the preview calls it, the container does not",
    why=(
        "The preview runs the notebook, where the hook is defined. The container runs the tagged cells alone, and "
        "does without it."
    ),
    example="""\
# %%
def on_stream_start(params):
    print("a stream starts")

# %% byoc
def process_frame(frame):
    return frame
""",
    fixable=True,
)
HOOK_NAME = Rule(
    code="hook-name",
    severity=Severity.WARNING,
    about="a function that nothing calls is named nearly like a hook, so the server does not call it",
    why=(
        "The server calls hooks by their exact names. A function with nearly such a name is most often a slip of the "
        "pen, and is never called."
    ),
    example="""\
def load_models():
    pass
""",
    ignorable=True,
)
RESERVED_NAME = Rule(
    code="reserved-name",
    severity=Severity.ERROR,
    about="a name is taken that the exported module needs",
    why=(
        "The exported module has a class `Processor`, and calls the package by its name `byoc_kit`. Another value of "
        "that name would break it."
    ),
    example="""\
class Processor:
    pass
""",
)

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
_RESULTS = {"AudioFrame", "NDArray", "Tensor", "VideoFrame", "ndarray"}
_NO_FRAME = {*_NO_RESULT, "NDArray", "Tensor", "ndarray"}
_WRONG_FRAMES = {"process_frame": {*_NO_FRAME, "AudioFrame"}, "process_audio": {*_NO_FRAME, "VideoFrame"}}
# Where to find what the annotation asks for.
_PARTS = {
    "process_frame": "it is given a VideoFrame, which has .tensor and .pixels",
    "process_audio": "it is given an AudioFrame, which has .samples",
}

_NEAR = 0.85
_ONLY_WRAP = ("functools.", "torch.")
# What one might call a hook, in small letters without underscores; such names are not misspelt.
_TAKEN_FOR = {
    **dict.fromkeys(("process", "processimage", "processvideo", "processvideoframe", "onframe"), "process_frame"),
    **dict.fromkeys(("load", "setup", "init", "initialize", "initmodel", "setupmodel"), "load_model"),
    **dict.fromkeys(("processsound", "processsamples", "processaudioframe", "onaudio"), "process_audio"),
    **dict.fromkeys(("onstart", "onbegin", "startstream", "beginstream"), "on_stream_start"),
    **dict.fromkeys(("onstreambegin", "streamstart", "streamstarted", "streambegin"), "on_stream_start"),
    **dict.fromkeys(("onstop", "onend", "onclose", "stopstream", "endstream", "cleanup"), "on_stream_stop"),
    **dict.fromkeys(("onstreamend", "onstreamended", "streamstop", "streamend", "teardown"), "on_stream_stop"),
}


def _check_signature(analysis: Analysis, cell: Cell, function: Function) -> Iterator[Finding]:
    """Yield what is wrong with the arguments and the annotations of a hook."""
    name = function.name
    message = _cannot_be_called(function)
    if message:
        yield Finding(HOOK_SIGNATURE, analysis.name, message, _WRITE[name], head(cell, function))
    if _is_generator(function):
        message = f"{name} is a generator: it yields, and its result is what it returns"
        yield Finding(HOOK_SIGNATURE, analysis.name, message, "return the result", head(cell, function))
    yield from _check_return(analysis, cell, function)
    wrong = _annotation(function.returns) in _WRONG_RESULTS.get(name, set())
    if wrong and function.returns is not None:
        message = f"{name} is said to return {unparse(function.returns)}"
        kind = "VideoFrame" if name == "process_frame" else "AudioFrame"
        hint = f"return the {kind}, a tensor or an array, or None to drop it"
        yield Finding(HOOK_ANNOTATION, analysis.name, message, hint, Place.of(cell, function.returns))
    first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
    if first is not None and first.annotation and _annotation(first.annotation) in _WRONG_FRAMES.get(name, set()):
        message = f"{name} is said to take {unparse(first.annotation)}"
        yield Finding(HOOK_ANNOTATION, analysis.name, message, _PARTS[name], Place.of(cell, first.annotation))


def _check_return(analysis: Analysis, cell: Cell, function: Function) -> Iterator[Finding]:
    """Yield a hook that should return frames, and returns nothing. One that is said to return None is meant so."""
    returns, first = function.returns, next(iter([*function.args.posonlyargs, *function.args.args]), None)
    if first is None or _has_result(function):
        return
    if returns is not None:
        is_missing = function.name in _WRONG_RESULTS and _annotation(returns) in _RESULTS
        message = f"{function.name} says that it returns {unparse(returns)}, and has no return: no frame goes out"
    else:
        is_missing = function.name == "process_frame" and not (
            _is_generator(function) or _has_other_decorator(analysis, function)
        )
        message = f"{function.name} has no return: no frame goes out"
    if is_missing:
        yield Finding(NO_RETURN, analysis.name, message, f"end it with `return {first.arg}`", head(cell, function))


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
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def _has_result(function: Function) -> bool:
    """Whether a function may return something, or is not there yet and raises."""
    nodes = own_nodes(function)
    return any(isinstance(n, ast.Return | ast.Yield | ast.YieldFrom) and n.value is not None for n in nodes) or (
        isinstance(function.body[-1], ast.Raise)
    )


def head(cell: Cell, function: Function) -> Place:
    """Return the place of the function's name."""
    line = cell.lines[function.lineno - 1]
    begin = line.find(function.name, line.find("def ") + 4) + 1
    return (
        Place.in_code(cell, function.lineno, begin, begin + len(function.name)) if begin else Place.of(cell, function)
    )


def check_hooks(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong with the names that the exporter reads and writes."""
    bound = bindings(analysis)
    if not any(binding.name == "process_frame" for binding in bound):
        yield from _check_missing(analysis)
    for hook in HOOKS:
        yield from _check_hook(analysis, hook, [binding for binding in bound if binding.name == hook])
    yield from _check_untagged_hooks(analysis, {binding.name for binding in bound})
    yield from _check_near_hooks(analysis, bound)
    for binding in bound:
        if binding.name == PROCESSOR:
            message = f"the name {PROCESSOR} is taken: the exporter adds a class of that name"
            yield Finding(RESERVED_NAME, analysis.name, message, "rename yours", binding.place)
        if binding.name == "byoc_kit" and not is_kit_import(binding.node):
            message = "the name byoc_kit is taken: the exported module calls the package by it"
            yield Finding(RESERVED_NAME, analysis.name, message, "rename yours", binding.place)


def _check_missing(analysis: Analysis) -> Iterator[Finding]:
    hint = "define process_frame(frame) or process_frame(frame, params) in a tagged cell"
    untagged = untagged_cell(analysis, "process_frame")
    if untagged:
        hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
    message = "no tagged cell defines process_frame"
    yield Finding(NO_PROCESS_FRAME, analysis.name, message, hint, needs_cell=untagged)


def _check_hook(analysis: Analysis, hook: str, bound: Sequence[Binding]) -> Iterator[Finding]:
    for binding in bound[1:]:
        first = bound[0]
        # Two branches of one statement are one definition, and `process_frame = torch.compile(process_frame)` is none.
        is_same = binding.cell == first.cell and binding.statement is first.statement
        if not is_same and not _reads_itself(binding):
            message = f"{hook} is defined a second time (first in cell {first.cell.number})"
            yield Finding(SHADOWED_HOOK, analysis.name, message, "keep one of them tagged", binding.place)
    for binding in bound:
        if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _check_signature(analysis, binding.cell, binding.node)


def _check_near_hooks(analysis: Analysis, bound: Sequence[Binding]) -> Iterator[Finding]:
    nodes = [node for cell in analysis.cells for node in cell.nodes]
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    own = {binding.name for binding in bound}  # one that is there has its name
    for binding in bound:
        hook = _near_hook(binding.name)
        if not hook or hook in own or binding.name in read:
            continue
        if isinstance(binding.node, Function) and not _has_other_decorator(analysis, binding.node):
            message = f"{binding.name} is not called by anything"
            place = head(binding.cell, binding.node)
            yield Finding(HOOK_NAME, analysis.name, message, f"did you mean {hook}?", place)


def _has_other_decorator(analysis: Analysis, function: Function) -> bool:
    """Whether a decorator may do more than wrap: give the function to a caller, as ``atexit.register``, or return."""
    decorators = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(not (dotted_name(one, module_scope(analysis)) or "").startswith(_ONLY_WRAP) for one in decorators)


def _near_hook(name: str) -> str | None:
    """Return the hook that a name may be meant for; ``None`` for a hook's own."""
    letters = {hook.replace("_", ""): hook for hook in HOOKS}
    plain = name.casefold().replace("_", "")
    near = get_close_matches(plain, letters, 1, _NEAR)
    return None if name in HOOKS else _TAKEN_FOR.get(plain) or (letters[near[0]] if near else None)


def _check_untagged_hooks(analysis: Analysis, tagged: AbstractSet[str]) -> Iterator[Finding]:
    for hook in OPTIONAL_HOOKS:
        untagged = untagged_cell(analysis, hook)
        if untagged and hook not in tagged:
            message = f"{hook} is not in the tagged cells, so the container does not call it"
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`, or rename it"
            yield Finding(UNTAGGED_HOOK, analysis.name, message, hint, needs_cell=untagged)


def _reads_itself(binding: Binding) -> bool:
    loaded = (n.id for n in ast.walk(binding.statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return isinstance(binding.statement, ast.Assign | ast.AnnAssign) and binding.name in loaded
