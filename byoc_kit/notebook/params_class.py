"""The parameters of the tagged cells: their class as far as it can be known without running it, and its JSON schema."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from byoc_kit.core.assets import shown
from byoc_kit.core.params import DefaultError, Params, params_errors
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.cell_source import unparse
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.names import Binding, bindings, untagged_cell
from byoc_kit.notebook.notebook_file import TAG, Cell
from byoc_kit.notebook.static_eval import NotStatic, Static, static_of

_KIT = {"byoc_kit.Params", "byoc_kit.core.params.Params"}
_NAME = "Params"
_WRAPPER = "params"
# Packages whose classes and decorators make no class of parameters.
_OTHERS = ("builtins.", "dataclasses.", "enum.", "pydantic.", "typing.")
# How many arguments stand before the one that may be the parameters.
_HOOKS = {"process_frame": 1, "process_audio": 1, "on_stream_start": 0}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class NotParams(NotStatic):
    """A class that stands in the place of the parameters', and is not made from ``Params``."""

    def __init__(self, cell: Cell, node: ast.ClassDef) -> None:
        super().__init__(cell, node, "is not made from byoc_kit.Params")
        self.node: ast.ClassDef = node


@dataclass(frozen=True)
class ParamsClass:
    """The class of the parameters: with its fields, without its methods, of which only the ``names`` are there.

    It is open where it may have attributes that nothing here shows, and plain where it has fields alone: a validator
    may make a good value of any default.
    """

    type: type[Params]
    names: frozenset[str]
    schema: dict[str, Any] | None
    is_open: bool = False
    is_plain: bool = False


@part
def read_params(analysis: Analysis) -> ParamsClass | NotStatic:
    """Return the class that the exported module will use, or why only running the notebook would tell."""
    try:
        return _read(static_of(analysis))
    except NotStatic as unknown:
        return unknown


def params_schema(analysis: Analysis) -> dict[str, Any] | None:
    """Return the JSON schema of the parameters; ``None`` where there are none, or only running would tell."""
    known = read_params(analysis)
    return known.schema if isinstance(known, ParamsClass) else None


def render_schema(schema: dict[str, Any]) -> str:
    """Render a schema as its file has it; the fields stay in their order, pydantic sorts everything else."""
    return json.dumps(schema, indent=2, allow_nan=False) + "\n"


def check_params(analysis: Analysis) -> Iterator[Finding]:
    """Yield what keeps the parameters from having a schema, bad defaults, and uses of fields that they do not have."""
    found = read_params(analysis)
    if isinstance(found, NotParams):
        hint = f"write class {found.node.name}(byoc_kit.Params)"
        yield Finding("params-class", analysis.name, str(found), hint, Place.of(found.cell, found.node))
        return
    if isinstance(found, NotStatic):
        message = f"{found}, so the bundle has no schema of the parameters"
        hint = "write literals, and of types int, float, bool, str, Literal, an Enum, and lists of them"
        yield Finding("params-schema", analysis.name, message, hint, Place.of(found.cell, found.node))
        return
    if found.type is Params and (untagged := _untagged_class(analysis)):
        yield untagged
        return
    yield from _check_field_names(analysis, found.type)
    if found.is_plain:
        yield from _check_defaults(analysis, found.type)
    if not found.is_open:
        for binding in bindings(analysis):
            if binding.name in _HOOKS and isinstance(binding.node, _Function):
                yield from _check_uses(analysis, binding.cell, binding.node, found)


def _untagged_class(analysis: Analysis) -> Finding | None:
    """Return what is wrong where process_frame takes ``params``, and their class stays in the notebook."""
    hook = static_of(analysis).binding("process_frame")
    untagged = untagged_cell(analysis, _NAME)
    if hook is None or not isinstance(hook.node, _Function) or untagged is None:
        return None
    for argument in _arguments(hook.node)[_HOOKS["process_frame"] :]:
        if argument.arg == "params" and argument.annotation is None:
            message = f"process_frame takes params, and {_NAME} is not in the tagged cells"
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
            place = Place.of(hook.cell, argument)
            return Finding("untagged-name", analysis.name, message, hint, place, needs_cell=untagged)
    return None


def takes_params(static: Static, function: _Function) -> bool:
    """Whether a hook that is given a frame takes parameters besides: by the annotation, or by the name."""
    rest = _arguments(function)[1:]
    return any(argument.arg == "params" or _annotated(static, argument) is not None for argument in rest)


def _read(static: Static) -> ParamsClass:
    name = _class_name(static)
    binding = static.binding(name)
    if binding is None:
        return ParamsClass(Params, frozenset(dir(Params)), None)
    if isinstance(binding.node, ast.ClassDef) and _is_another(static, binding):
        raise NotParams(binding.cell, binding.node)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the notebook has shown them where the cell ran
        kind = static.class_named(name)
        if not issubclass(kind, Params):
            raise NotStatic(binding.cell, binding.node, "is not made from byoc_kit.Params")
        try:
            schema = kind.model_json_schema()
            render_schema(schema)
        except Exception as error:  # pydantic says in many ways that there is no schema
            reason = f"has no JSON schema ({' '.join(str(error).split())[:200]})"
            raise NotStatic(binding.cell, binding.node, reason) from error
    own = set(_names_of_classes(static, name))
    is_open = kind.model_config.get("extra") == "allow" or "__getattr__" in own
    is_plain = own <= {*kind.model_fields, "model_config"}
    names = frozenset({*dir(kind), *kind.model_fields, *own})
    return ParamsClass(kind, names, schema, is_open=is_open, is_plain=is_plain)


def _class_name(static: Static) -> str:
    """Return the name of the parameters' class; empty for the kit's own, which has no fields.

    As ``Hooks`` chooses it: by the annotation in ``process_frame``, else by the name ``Params``.
    """
    hook = static.binding("process_frame")
    if hook is None:
        return ""
    if not isinstance(hook.node, _Function):
        return _by_name(static)
    arguments = _arguments(hook.node)[_HOOKS["process_frame"] :]
    for argument in arguments:
        name = _annotated(static, argument)
        if name is not None:
            return name
    named = next((argument for argument in arguments if argument.arg == "params"), None)
    if named is None:
        return ""
    dotted = static.dotted(_unquoted(named.annotation))
    if dotted and not dotted.startswith(("typing.", "builtins.", "collections.")):
        raise NotStatic(hook.cell, named, "is of a class that is not in the tagged cells")
    return _by_name(static)


def _by_name(static: Static) -> str:
    binding = static.binding(_NAME)
    if binding is None or static.dotted(ast.Name(_NAME, ast.Load())) in _KIT:
        return ""
    return _NAME


def _annotated(static: Static, argument: ast.arg) -> str | None:
    """Return the class that an argument is annotated with, if it is one of parameters; empty for the kit's own."""
    annotation = _unquoted(argument.annotation)
    if static.dotted(annotation) in _KIT:
        return ""
    name = annotation.id if isinstance(annotation, ast.Name) else ""
    return name if name and _is_params(static, name, argument) else None


def _is_another(static: Static, binding: Binding) -> bool:
    """Whether a class is surely not made from ``byoc_kit.Params``: all that makes it is known."""
    waiting, seen = [binding], set[int]()
    while waiting:
        binding = waiting.pop()
        node = binding.node
        if id(node) in seen or not isinstance(node, ast.ClassDef):
            continue
        seen.add(id(node))
        decorators = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
        for made_of in (*decorators, *node.bases):
            own = static.binding(made_of.id, seen_by=binding) if isinstance(made_of, ast.Name) else None
            if own and isinstance(own.node, ast.ClassDef):
                waiting.append(own)
            elif not _is_of(_OTHERS, static.dotted(made_of, seen_by=binding)):
                return False
    return True


def _is_of(packages: tuple[str, ...], dotted: str | None) -> bool:
    return bool(dotted) and str(dotted).startswith(packages)


def _is_params(static: Static, name: str, argument: ast.arg) -> bool:
    """Whether a class of the tagged cells is made from ``byoc_kit.Params``, or may be."""
    waiting, seen = [name], set[str]()
    while waiting:
        name = waiting.pop()
        binding = static.binding(name)
        if binding is None or name in seen or not isinstance(binding.node, ast.ClassDef):
            continue
        seen.add(name)
        for base in binding.node.bases:
            dotted = static.dotted(base, seen_by=binding)
            is_foreign = bool(dotted) and not _is_of(_OTHERS, dotted)
            if dotted in _KIT or (is_foreign and argument.arg == "params"):
                return True
            if isinstance(base, ast.Name):
                waiting.append(base.id)
    return False


def _unquoted(node: ast.expr | None) -> ast.expr | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().isidentifier():
        return ast.Name(node.value.strip(), ast.Load())
    return node


def _names_of_classes(static: Static, name: str) -> Iterator[str]:
    """Yield the names that the bodies of a class and its bases bind, methods too."""
    waiting, seen = [name], set[str]()
    while waiting:
        name = waiting.pop()
        binding = static.binding(name)
        if name in seen or binding is None or not isinstance(binding.node, ast.ClassDef):
            continue
        seen.add(name)
        waiting += [base.id for base in binding.node.bases if isinstance(base, ast.Name)]
        for statement in binding.node.body:
            if isinstance(statement, _Function):
                yield statement.name
            yield from (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _check_field_names(analysis: Analysis, kind: type[Params]) -> Iterator[Finding]:
    """Yield the field that clients cannot set: ``{"params": ...}`` is what stands around all parameters."""
    for name, field in kind.model_fields.items():
        if _WRAPPER in {name, field.alias, field.validation_alias}:
            message = f"no client can set a parameter called {_WRAPPER}: all of them are sent under that name"
            place = _place_of_field(analysis, kind, name)
            yield Finding("reserved-param", analysis.name, message, "rename the field", place)


def _place_of_field(analysis: Analysis, kind: type[Params], field: str) -> Place:
    """Return where a class annotates a field; where it does not, the class."""
    binding = next(found for found in reversed(bindings(analysis)) if found.name == kind.__name__)
    statements = [node for node in ast.walk(binding.node) if isinstance(node, ast.AnnAssign)]
    fields = (node for node in statements if isinstance(node.target, ast.Name) and node.target.id == field)
    return Place.of(binding.cell, next(fields, binding.node))


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
    yield Finding("params-default", analysis.name, message, hint, _place_of_field(analysis, kind, field))


def _check_uses(analysis: Analysis, cell: Cell, function: _Function, known: ParamsClass) -> Iterator[Finding]:
    name = _params_name(function)
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    if name is None or name in bound:
        return  # it may be something else there
    as_dictionaries = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _asked_for(node, name)}
    for node in nodes:
        field = _asked_for(node, name)
        match node:
            case ast.Subscript() | ast.Call() if field and _method(node) not in known.names:
                message = f"{shown(unparse(node))}: the parameters are a {known.type.__name__}, not a dictionary"
                yield Finding("unknown-param", analysis.name, message, f"write {name}.{field}", Place.of(cell, node))
            case ast.Attribute(value=ast.Name(id=owner), attr=field) if owner == name and field not in known.names:
                if id(node) in as_dictionaries:
                    continue  # said of the call
                message = f"{name}.{shown(field)}: {known.type.__name__} has no field {shown(field)}"
                hint = _hint(analysis, known, name, field)
                yield Finding("unknown-param", analysis.name, message, hint, Place.of(cell, node))


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
    if known.type is Params and any(binding.name == _NAME for binding in bindings(analysis)):
        return f"write process_frame(frame, params: {_NAME}), which says what the parameters are"
    if known.type is Params:
        return f"write a class {_NAME}(byoc_kit.Params) with that field in a tagged cell"
    near = get_close_matches(field, fields, 1)
    if near:
        return f"did you mean {name}.{near[0]}?"
    return f"add it to the class, which has {shown(', '.join(fields)) or 'none'}"


def _params_name(function: _Function) -> str | None:
    """Return the name of the argument that takes the parameters."""
    arguments = _arguments(function)[_HOOKS[function.name] :]
    if function.name == "on_stream_start":
        return arguments[0].arg if arguments else None
    annotated = (a.arg for a in arguments if _ends_with_params(_unquoted(a.annotation)))
    return next((a.arg for a in arguments if a.arg == "params"), None) or next(annotated, None)


def _ends_with_params(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith(_NAME)


def _arguments(function: _Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
