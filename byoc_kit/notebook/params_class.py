"""The parameters of the tagged cells: their class as far as it can be known without running it, and its JSON schema."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from byoc_kit.core.params import Params
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.names import Binding, Function
from byoc_kit.notebook.notebook_file import Cell
from byoc_kit.notebook.static_eval import NotStatic, Static, static_of

_KIT = {"byoc_kit.Params", "byoc_kit.core.params.Params"}
PARAMS = "Params"
_WRAPPER = "params"
# Packages whose classes and decorators make no class of parameters.
_OTHERS = ("builtins.", "dataclasses.", "enum.", "pydantic.", "typing.")
# By hook: how many arguments stand before the one that may be the parameters.
ARGUMENTS_BEFORE_PARAMS = {"process_frame": 1, "process_audio": 1, "on_stream_start": 0}


class NotParams(NotStatic):
    """A class that stands in the place of the parameters', and is not made from ``Params``."""

    def __init__(self, cell: Cell, node: ast.ClassDef) -> None:
        super().__init__(cell, node, "is not made from byoc_kit.Params")
        self.node: ast.ClassDef = node


@dataclass(frozen=True)
class ParamsClass:
    """The class of the parameters with its fields, but without its methods. ``names`` are all names that it has.

    ``is_open`` says that it may have attributes that cannot be seen here. ``is_plain`` says that it has fields alone,
    and so no validator, which could turn any default into a value that fits.
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
        static = static_of(analysis)
        return _read(static, _class_name(static))
    except NotStatic as unknown:
        return unknown


@part
def read_params_by_name(analysis: Analysis) -> ParamsClass | None:
    """Return the class ``Params`` of the tagged cells, whether a hook takes it or not; ``None`` if not known."""
    static = static_of(analysis)
    try:
        return _read(static, _by_name(static)) if static.binding(PARAMS) else None
    except NotStatic:
        return None


def params_schema(analysis: Analysis) -> dict[str, Any] | None:
    """Return the JSON schema of the parameters; ``None`` where there are none, or only running would tell."""
    known = read_params(analysis)
    return known.schema if isinstance(known, ParamsClass) else None


def render_schema(schema: dict[str, Any]) -> str:
    """Render a schema as its file has it; the fields stay in their order, pydantic sorts everything else."""
    return json.dumps(schema, indent=2, allow_nan=False) + "\n"


def takes_params(static: Static, function: Function) -> bool:
    """Whether a hook that is given a frame takes parameters besides: by the annotation, or by the name."""
    rest = arguments_of(function)[1:]
    return any(argument.arg == "params" or _annotated(static, argument) is not None for argument in rest)


def _read(static: Static, name: str) -> ParamsClass:
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
    if not isinstance(hook.node, Function):
        return _by_name(static)
    arguments = arguments_of(hook.node)[ARGUMENTS_BEFORE_PARAMS["process_frame"] :]
    for argument in arguments:
        name = _annotated(static, argument)
        if name is not None:
            return name
    named = next((argument for argument in arguments if argument.arg == "params"), None)
    if named is None:
        return ""
    dotted = static.dotted(unquoted(named.annotation))
    if dotted and not dotted.startswith(("typing.", "builtins.", "collections.")):
        raise NotStatic(hook.cell, named, "is of a class that is not in the tagged cells")
    return _by_name(static)


def _by_name(static: Static) -> str:
    binding = static.binding(PARAMS)
    if binding is None or static.dotted(ast.Name(PARAMS, ast.Load())) in _KIT:
        return ""
    return PARAMS


def _annotated(static: Static, argument: ast.arg) -> str | None:
    """Return the class that an argument is annotated with, if it is one of parameters; empty for the kit's own."""
    annotation = unquoted(argument.annotation)
    if static.dotted(annotation) in _KIT:
        return ""
    name = annotation.id if isinstance(annotation, ast.Name) else ""
    return name if name and _is_params(static, name, argument) else None


def _family(static: Static, binding: Binding | None) -> Iterator[tuple[Binding, ast.ClassDef]]:
    """Yield a class of the tagged cells, and those of them that it is made from."""
    waiting, seen = [binding], set[int]()
    while waiting:
        found = waiting.pop()
        if found is None or id(found.node) in seen or not isinstance(found.node, ast.ClassDef):
            continue
        seen.add(id(found.node))
        yield found, found.node
        names = (base.id for base in found.node.bases if isinstance(base, ast.Name))
        waiting += [static.binding(name, seen_by=found) for name in names]


def _is_another(static: Static, binding: Binding) -> bool:
    """Whether a class is surely not made from ``byoc_kit.Params``: all that makes it is known."""
    family = list(_family(static, binding))
    own = {id(node) for _, node in family}
    for member, node in family:
        decorators = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
        for made_of in (*decorators, *node.bases):
            known = static.binding(made_of.id, seen_by=member) if isinstance(made_of, ast.Name) else None
            is_own = known is not None and id(known.node) in own
            if not is_own and not _is_of(_OTHERS, static.dotted(made_of, seen_by=member)):
                return False
    return True


def _is_of(packages: tuple[str, ...], dotted: str | None) -> bool:
    return bool(dotted) and str(dotted).startswith(packages)


def _is_params(static: Static, name: str, argument: ast.arg) -> bool:
    """Whether a class of the tagged cells is made from ``byoc_kit.Params``, or may be."""
    for member, node in _family(static, static.binding(name)):
        for base in node.bases:
            dotted = static.dotted(base, seen_by=member)
            is_foreign = bool(dotted) and not _is_of(_OTHERS, dotted)
            if dotted in _KIT or (is_foreign and argument.arg == "params"):
                return True
    return False


def unquoted(node: ast.expr | None) -> ast.expr | None:
    """Return the name that an annotation in quotes says, and any other as it is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().isidentifier():
        return ast.Name(node.value.strip(), ast.Load())
    return node


def _names_of_classes(static: Static, name: str) -> Iterator[str]:
    """Yield the names that the bodies of a class and its bases bind, methods too."""
    for _, node in _family(static, static.binding(name)):
        for statement in node.body:
            if isinstance(statement, Function):
                yield statement.name
            yield from (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def arguments_of(function: Function) -> list[ast.arg]:
    """Return the arguments that a function is given one by one, in order."""
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
