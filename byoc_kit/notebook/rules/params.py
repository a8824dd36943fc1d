"""The class of the parameters, and what the hooks ask it for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import ValidationError

from byoc_kit.core.params import DefaultError, Params, params_errors
from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import called_by
from byoc_kit.notebook.cell_source import unparse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import Function, bindings, free_names, untagged_cell
from byoc_kit.notebook.notebook_file import TAG, Cell
from byoc_kit.notebook.params_class import (
    ARGUMENTS_BEFORE_PARAMS,
    PARAMS,
    NotParams,
    ParamsClass,
    arguments_of,
    read_params,
    read_params_by_name,
    unquoted,
)
from byoc_kit.notebook.rules.names import UNTAGGED_NAME
from byoc_kit.notebook.static_eval import NotStatic, static_of

PARAMS_CLASS = Rule(
    code="params-class",
    severity=Severity.ERROR,
    about="the parameters are of a class that is not made from byoc_kit.Params",
    why=(
        "The server validates what clients send with `byoc_kit.Params`. Another class does not do so, and has no "
        "schema that it knows."
    ),
    example="""\
from pydantic import BaseModel

class Params(BaseModel):
    gain: float = 1.0

def process_frame(frame, params: Params):
    return frame.tensor * params.gain
""",
)
PARAMS_SCHEMA = Rule(
    code="params-schema",
    severity=Severity.WARNING,
    about="the parameters' class cannot be read without running it, so the bundle has no schema of them",
    why=(
        "The bundle has a schema of the parameters, by which clients know what to send. It can be made only of what "
        "the text of the class says."
    ),
    example="""\
import os

import byoc_kit

class Params(byoc_kit.Params):
    gain: float = os.cpu_count()

def process_frame(frame, params: Params):
    return frame.tensor * params.gain
""",
)
PARAMS_DEFAULT = Rule(
    code="params-default",
    severity=Severity.ERROR,
    about="a field of the parameters has no default, or one that does not fit it, so no stream can start",
    why="A stream may start without any parameters. Then each field has its default.",
    example="""\
import byoc_kit

class Params(byoc_kit.Params):
    gain: float

def process_frame(frame, params: Params):
    return frame.tensor * params.gain
""",
)
RESERVED_PARAM = Rule(
    code="reserved-param",
    severity=Severity.ERROR,
    about="a parameter has a name that clients' messages use for something else",
    why="Clients send all parameters under the name `params`. A field of that name cannot be told from them.",
    example="""\
import byoc_kit

class Params(byoc_kit.Params):
    params: float = 1.0

def process_frame(frame, params: Params):
    return frame
""",
)
UNKNOWN_PARAM = Rule(
    code="unknown-param",
    severity=Severity.ERROR,
    about="params is asked for a field that its class does not have, or the class itself is asked for one",
    why=(
        "The line raises an AttributeError for each frame. Most often the name is misspelt, or `Params` stands in the "
        "place of `params`."
    ),
    example="""\
import byoc_kit

class Params(byoc_kit.Params):
    gain: float = 1.0

def process_frame(frame, params: Params):
    return frame.tensor * params.gian
""",
    ignorable=True,
)
UNUSED_PARAMS = Rule(
    code="unused-params",
    severity=Severity.WARNING,
    about="a class of parameters is there, and process_frame takes no params",
    why="What a client or a control of the preview sets comes in `params`. `Params()` has the defaults alone.",
    example="""\
import byoc_kit

class Params(byoc_kit.Params):
    gain: float = 1.0

def process_frame(frame):
    return frame.tensor * Params().gain
""",
    ignorable=True,
)

_WRAPPER = "params"


def check_params(analysis: Analysis) -> Iterator[Finding]:
    """Yield what keeps the parameters from having a schema, bad defaults, and uses of fields that they do not have."""
    found = read_params(analysis)
    if isinstance(found, NotParams):
        hint = f"write class {found.node.name}(byoc_kit.Params)"
        yield Finding(PARAMS_CLASS, analysis.name, str(found), hint, Place.of(found.cell, found.node))
        return
    if isinstance(found, NotStatic):
        if _has_untagged_name(analysis, found):
            return  # said of that name
        if untyped := _untyped_field(analysis, found.node):
            yield Finding(PARAMS_DEFAULT, analysis.name, *untyped, Place.of(found.cell, found.node))
            return
        message = f"{found}, so the bundle has no schema of the parameters"
        hint = "write literals, and of types int, float, bool, str, Literal, an Enum, and lists of them"
        yield Finding(PARAMS_SCHEMA, analysis.name, message, hint, Place.of(found.cell, found.node))
        return
    if found.type is Params:
        untagged = list(_check_untagged_class(analysis))
        yield from untagged
        if untagged or _is_left_out(analysis):
            return  # said of its name; what fields it has is not known here
    yield from _check_field_names(analysis, found.type)
    if found.is_plain:
        yield from _check_defaults(analysis, found.type)
    by_name = read_params_by_name(analysis) if found.type is Params else None
    yield from _check_is_used(analysis, by_name)
    for cell, function in called_by(analysis, list(ARGUMENTS_BEFORE_PARAMS)):
        yield from _check_reads_of_class(analysis, cell, function, by_name or found)
    for cell, hook in [] if found.is_open else _hooks(analysis):
        yield from _check_uses(analysis, cell, hook, found)


def _hooks(analysis: Analysis) -> list[tuple[Cell, Function]]:
    """Return the functions that may take the parameters."""
    bound = [binding for binding in bindings(analysis) if binding.name in ARGUMENTS_BEFORE_PARAMS]
    return [(binding.cell, binding.node) for binding in bound if isinstance(binding.node, Function)]


def _has_untagged_name(analysis: Analysis, unknown: NotStatic) -> bool:
    """Whether what cannot be known without running it has a name that only an untagged cell defines."""
    undefined = free_names(unknown.cell) - {binding.name for binding in bindings(analysis)}
    names = {node.id for node in ast.walk(unknown.node) if isinstance(node, ast.Name)}
    return any(untagged_cell(analysis, name) for name in names & undefined)


def _check_untagged_class(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong where process_frame takes ``params``, and their class stays in the notebook."""
    hook = static_of(analysis).binding("process_frame")
    untagged = untagged_cell(analysis, PARAMS)
    if hook is None or not isinstance(hook.node, Function) or untagged is None:
        return
    for argument in arguments_of(hook.node)[ARGUMENTS_BEFORE_PARAMS["process_frame"] :]:
        if argument.arg == "params" and argument.annotation is None:
            message = f"process_frame takes params, and {PARAMS} is not in the tagged cells"
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
            place = Place.of(hook.cell, argument)
            yield Finding(UNTAGGED_NAME, analysis.name, message, hint, place, needs_cell=untagged)


def _is_left_out(analysis: Analysis) -> bool:
    """Whether a hook says that its parameters are of a class of a cell without the tag."""
    bound = {binding.name for binding in bindings(analysis)}
    said = [unquoted(a.annotation) for _, hook in _hooks(analysis) for a in arguments_of(hook)]
    names = {annotation.id for annotation in said if isinstance(annotation, ast.Name)} - bound
    return any(untagged_cell(analysis, name) for name in names)


def _check_field_names(analysis: Analysis, kind: type[Params]) -> Iterator[Finding]:
    """Yield the field that clients cannot set: ``{"params": ...}`` is what stands around all parameters."""
    for name, field in kind.model_fields.items():
        if _WRAPPER in {name, field.alias, field.validation_alias}:
            message = f"no client can set a parameter called {_WRAPPER}: all of them are sent under that name"
            place = _place_of_field(analysis, kind, name)
            yield Finding(RESERVED_PARAM, analysis.name, message, "rename the field", place)


def _place_of_field(analysis: Analysis, kind: type[Params], field: str) -> Place:
    """Return where a class annotates a field; where it does not, the class."""
    binding = next(found for found in reversed(bindings(analysis)) if found.name == kind.__name__)
    statements = [node for node in ast.walk(binding.node) if isinstance(node, ast.AnnAssign)]
    fields = (node for node in statements if isinstance(node.target, ast.Name) and node.target.id == field)
    return Place.of(binding.cell, next(fields, binding.node))


def _untyped_field(analysis: Analysis, node: ast.AST) -> tuple[str, str] | None:
    """Return what to say of a class's ``gain = 1.0``, which pydantic refuses when the class is made."""
    classes = [binding.node for binding in bindings(analysis) if isinstance(binding.node, ast.ClassDef)]
    if not isinstance(node, ast.Assign) or not any(node in one.body for one in classes):
        return None
    target, value = node.targets[0], node.value
    is_field = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Field"
    if not isinstance(target, ast.Name) or target.id.startswith(("_", "model_")):
        return None
    if not is_field and not isinstance(value, ast.Constant):
        return None
    default = value.args[0] if isinstance(value, ast.Call) and value.args else value
    kind = type(default.value).__name__ if isinstance(default, ast.Constant) else "float"
    return f"{target.id} has no type, so the module cannot be loaded", f"write {target.id}: {kind} = {unparse(value)}"


def _check_defaults(analysis: Analysis, kind: type[Params]) -> Iterator[Finding]:
    """Yield the first field whose default keeps a stream from starting; what a factory makes is not known here."""
    factories = {name: field for name, field in kind.model_fields.items() if field.default_factory is not None}
    made = {*factories, *(field.alias for field in factories.values())}
    try:
        kind()
    except ValidationError as error:
        wrong = [one for one in params_errors(error) if one.field.partition(".")[0] not in made]
    else:
        return
    if not wrong:
        return
    field = wrong[0].field
    message, _, hint = str(DefaultError(field, wrong[0].reason)).rpartition("; ")
    yield Finding(PARAMS_DEFAULT, analysis.name, message, hint, _place_of_field(analysis, kind, field))


def _check_is_used(analysis: Analysis, known: ParamsClass | None) -> Iterator[Finding]:
    """Yield a class ``Params`` with fields that no hook takes."""
    hook = static_of(analysis).binding("process_frame")
    if known is None or not known.type.model_fields or hook is None or not isinstance(hook.node, Function):
        return
    arguments = hook.node.args
    has_any = arguments.vararg or arguments.kwarg
    if not arguments_of(hook.node) or _asks_for_others(arguments):
        return  # hook-signature says what to write
    if has_any or any(_params_name(function) for _, function in _hooks(analysis)):
        return
    fields = list(known.type.model_fields)
    them = "it" if len(fields) == 1 else "them"
    message = f"{PARAMS} has {shown(', '.join(fields))}, but process_frame takes no params: no control acts on {them}"
    hint = f"write def process_frame({arguments_of(hook.node)[0].arg}, params: {PARAMS})"
    yield Finding(UNUSED_PARAMS, analysis.name, message, hint, Place.of(hook.cell, hook.node))


def _asks_for_others(arguments: ast.arguments) -> bool:
    """Whether a hook takes more than a frame, without a default, so that it cannot be called."""
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > ARGUMENTS_BEFORE_PARAMS["process_frame"] or None in arguments.kw_defaults


def _check_reads_of_class(analysis: Analysis, cell: Cell, function: Function, known: ParamsClass) -> Iterator[Finding]:
    """Yield the fields that a hook, or a function that hooks use, asks of the class: only its instances have them."""
    nodes, owner = _nodes_in(function), known.type.__name__
    if owner in _bound_in(nodes):
        return  # it may be something else there
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=field) if (
                name == owner and field in known.type.model_fields
            ):
                message = f"{owner}.{shown(field)} is read from the class"
                hint = f"write {_params_name(function) or 'params'}.{shown(field)}"
                hint += "" if function.name in ARGUMENTS_BEFORE_PARAMS else f", and give {function.name} the parameters"
                yield Finding(UNKNOWN_PARAM, analysis.name, message, hint, Place.of(cell, node))


def _nodes_in(function: Function) -> list[ast.AST]:
    return [node for statement in function.body for node in ast.walk(statement)]


def _bound_in(nodes: list[ast.AST]) -> set[str]:
    """Return the names that a function's body binds, at whatever depth."""
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.arg for node in nodes if isinstance(node, ast.arg)}


def _check_uses(analysis: Analysis, cell: Cell, function: Function, known: ParamsClass) -> Iterator[Finding]:
    name = _params_name(function)
    nodes = _nodes_in(function)
    if name is None or name in _bound_in(nodes):
        return  # it may be something else there
    as_dictionaries = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _asked_for(node, name)}
    for node in nodes:
        field = _asked_for(node, name)
        match node:
            case ast.Subscript() | ast.Call() if field and _method(node) not in known.names:
                message = f"{shown(unparse(node))}: the parameters are a {known.type.__name__}, not a dictionary"
                yield Finding(UNKNOWN_PARAM, analysis.name, message, f"write {name}.{field}", Place.of(cell, node))
            case ast.Attribute(value=ast.Name(id=owner), attr=field) if owner == name and field not in known.names:
                if id(node) in as_dictionaries:
                    continue  # said of the call
                message = f"{name}.{shown(field)}: {known.type.__name__} has no field {shown(field)}"
                hint = _hint(analysis, known, name, field)
                yield Finding(UNKNOWN_PARAM, analysis.name, message, hint, Place.of(cell, node))


def _asked_for(node: ast.AST, name: str) -> str | None:
    """Return the field that is asked for as of a dictionary, ``params["gain"]`` or ``params.get("gain")``."""
    match node:
        case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant(value=str(field))) if owner == name:
            return field if field.isidentifier() else None
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=owner), attr="get"), args=[ast.Constant(value=str(field)), *_]
        ) if owner == name:
            return field if field.isidentifier() else None
    return None


def _method(node: ast.Subscript | ast.Call) -> str:
    """Return the method that a class has for being asked so."""
    return "__getitem__" if isinstance(node, ast.Subscript) else "get"


def _hint(analysis: Analysis, known: ParamsClass, name: str, field: str) -> str:
    fields = list(known.type.model_fields)
    if known.type is Params and any(binding.name == PARAMS for binding in bindings(analysis)):
        return f"write process_frame(frame, params: {PARAMS}), which says what the parameters are"
    if known.type is Params:
        return f"write a class {PARAMS}(byoc_kit.Params) with that field in a tagged cell"
    near = get_close_matches(field, fields, 1)
    if near:
        return f"did you mean {name}.{near[0]}?"
    return f"add it to the class, which has {shown(', '.join(fields)) or 'none'}"


def _params_name(function: Function) -> str | None:
    """Return the name of the argument that takes the parameters."""
    arguments = arguments_of(function)[ARGUMENTS_BEFORE_PARAMS.get(function.name, 0) :]
    if function.name == "on_stream_start":
        return arguments[0].arg if arguments else None
    annotated = (a.arg for a in arguments if _ends_with_params(unquoted(a.annotation)))
    return next((a.arg for a in arguments if a.arg == "params"), None) or next(annotated, None)


def _ends_with_params(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith(PARAMS)
