"""Values, types and classes of the tagged cells that can be known without running them.

What is built here is made by pydantic and by Python's enum from literals alone: none of the notebook's code is run.
"""

from __future__ import annotations

import ast
import enum
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pydantic

from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import Scope, dotted_name, imported_names, module_scope
from byoc_kit.notebook.cell_source import parse, unparse
from byoc_kit.notebook.names import Binding, bindings
from byoc_kit.notebook.notebook_file import Cell
from byoc_kit.notebook.static_types import ACCESSORS, CALLS, CHANGING_METHODS, DECORATORS, GENERICS, METHODS, TYPES

# The most expressions that a class may be made of. Names of types that use each other double them with each line.
_MOST_EXPRESSIONS = 20_000

_IMMUTABLE = (int, float, str, bytes, bool, type(None))
_UNKNOWN = object()


class NotStatic(Exception):  # noqa: N818  # no fault: a question that only running answers
    """An expression that only running the notebook would tell."""

    def __init__(self, cell: Cell, node: ast.AST, reason: str = "can be known only by running it") -> None:
        self.cell = cell
        self.node = node
        self.reason = reason
        super().__init__(f"`{shown(_source(node))}` {reason}")


class Static:
    """Reads the top level of cells. Every method raises ``NotStatic`` for what only running would tell.

    A class may have the name of what it is made from: ``from byoc_kit import Params`` and ``class Params(Params)``.
    With ``seen_by`` the answer is what that binding's statement sees, else what is there at the end.
    """

    def __init__(self, bound: Sequence[Binding], scope: Scope) -> None:
        self._scope = scope
        self._bound: dict[str, list[Binding]] = defaultdict(list)
        self._position: dict[int, int] = {}
        for number, binding in enumerate(bound):
            self._bound[binding.name].append(binding)
            self._position[id(binding.node)] = number
        self._classes: dict[str, type] = {}
        self._expressions = 0

    def binding(self, name: str, *, seen_by: Binding | None = None) -> Binding | None:
        """Return what binds a name last."""
        return next(reversed(self._bindings(name, seen_by)), None)

    def _bindings(self, name: str, seen_by: Binding | None) -> list[Binding]:
        """Return what binds a name: of an import and a class below it, only the one that is seen."""
        bound = self._bound.get(name, [])
        match [binding.statement for binding in bound]:
            case [*imports, ast.ClassDef()] if all(isinstance(one, ast.ImportFrom) for one in imports):
                is_before = seen_by and self._position[id(seen_by.node)] <= self._position[id(bound[-1].node)]
                return bound[:-1] if is_before else bound[-1:]
        return bound

    def dotted(self, node: ast.expr | None, *, seen_by: Binding | None = None) -> str | None:
        """Return the dotted name of what an expression imports or of a builtin; ``None`` for anything else."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or not isinstance(node, ast.Name | ast.Attribute):
            return None
        of_root = [imported_names(b.node).get(b.name) for b in self._bindings(root.id, seen_by)]
        if any(dotted is None or dotted != of_root[0] for dotted in of_root):
            return None
        return (dotted_name(node, self._scope) or "").replace("typing_extensions.", "typing.") or None

    def class_named(self, name: str) -> type:
        """Return the class that a tagged cell defines at its top level, as far as its fields or members go."""
        binding = self.binding(name)
        if binding is None:
            msg = f"nothing defines {name}"
            raise LookupError(msg)
        node, cell = binding.node, binding.cell
        if not isinstance(node, ast.ClassDef) or binding.statement is not node:
            raise NotStatic(cell, binding.statement)
        if len(self._bindings(name, None)) > 1:
            raise NotStatic(cell, node, "is bound a second time")
        if name not in self._classes:
            try:
                self._classes[name] = _Body(self, binding).build(node)
            except NotStatic:
                raise
            except Exception as error:  # pydantic and enum say in many ways that they cannot make a class of this
                reason = "cannot be made: " + " ".join(str(error).split())[:200]
                raise NotStatic(cell, node, reason) from error
        return self._classes[name]

    def earlier(self, node: ast.Name, before: Binding) -> Binding:
        """Return what binds a name, once and above ``before``."""
        found, times = self.binding(node.id, seen_by=before), len(self._bindings(node.id, before))
        is_earlier = found is not None and self._position[id(found.node)] < self._position[id(before.node)]
        if found is None or not is_earlier or times > 1:
            raise NotStatic(before.cell, node)
        return found

    def count(self, cell: Cell, node: ast.AST) -> None:
        """Count an expression, so that those that double do not fill the memory."""
        self._expressions += 1
        if self._expressions > _MOST_EXPRESSIONS:
            raise NotStatic(cell, node, "is too large")


@part
def static_of(analysis: Analysis) -> Static:
    """Return what reads the classes and values of the cells' top level."""
    return Static(bindings(analysis), module_scope(analysis))


class _Body:
    """Expressions as they stand in one top-level statement; ``local`` are the names that its class has bound so far."""

    def __init__(self, static: Static, binding: Binding) -> None:
        self._static = static
        self._binding = binding
        self._local: dict[str, Any] = {}

    def value(self, node: ast.expr) -> Any:
        """Return the value of a literal, of a name of one, of an enum's member or of a ``Field`` of such."""
        self._static.count(self._binding.cell, node)
        match node:
            case ast.Constant() | ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
                return ast.literal_eval(node)
            case ast.List() | ast.Tuple() | ast.Dict():
                return self._container(node)
            case ast.Call():
                return self._called(node)
            case ast.Attribute(value=owner, attr=name):
                return self._member(node, owner, name)
            case ast.Name(id=name):
                return self._checked(node, self._local[name]) if name in self._local else self._named(node)
        raise self._not_static(node)

    def annotation(self, node: ast.expr) -> Any:
        """Return the type that an annotation names."""
        self._static.count(self._binding.cell, node)
        match node:
            case ast.Constant(value=str(text)):
                return self.annotation(self._unquoted(node, text))
            case ast.Constant(value=value) if value is None or value is ...:
                return value
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.annotation(left) | self.annotation(right)
            case ast.Subscript(value=generic, slice=inside):
                return self._subscripted(node, generic, inside)
            case ast.Call():
                return self._called(node)
            case ast.Name() | ast.Attribute():
                return self._type(node)
        raise self._not_static(node)

    def build(self, node: ast.ClassDef) -> type:
        """Make the class without its methods."""
        for decorator in node.decorator_list:
            if self._static.dotted(decorator, seen_by=self._binding) not in {"enum.unique", "typing.final"}:
                raise self._not_static(decorator)
        bases = [self._type(base) for base in node.bases]
        options = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        if not bases or len(options) != len(node.keywords):
            raise self._not_static(node, "has a base or options that only running tells")
        if issubclass(bases[-1], enum.Enum):
            names = self._members(node)
        elif len(bases) == 1 and issubclass(bases[0], pydantic.BaseModel):
            names = self._fields(node, bases[0])
        else:
            raise self._not_static(node.bases[-1], "cannot be a base of parameters or of an enum")
        own = {"__module__": "processor", "__qualname__": node.name, "__doc__": ast.get_docstring(node, clean=False)}
        if own["__doc__"] is None:
            del own["__doc__"]
        return types.new_class(node.name, tuple(bases), options, lambda space: space.update(own | names))

    def _container(self, node: ast.List | ast.Tuple | ast.Dict) -> Any:
        if isinstance(node, ast.List):
            return [self.value(part) for part in node.elts]
        if isinstance(node, ast.Tuple):
            return tuple(self.value(part) for part in node.elts)
        if None in node.keys:
            raise self._not_static(node)
        pairs = zip(node.keys, node.values, strict=True)
        return {self.value(key): self.value(value) for key, value in pairs if key is not None}

    def _members(self, node: ast.ClassDef) -> dict[str, Any]:
        for statement in node.body:
            match statement:
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    continue
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.startswith("_"):
                    self._local[name] = self.value(value)
                case ast.FunctionDef():
                    self._method(statement)
                case _:
                    raise self._not_static(statement)
        return self._known_locals()

    def _fields(self, node: ast.ClassDef, base: type[pydantic.BaseModel]) -> dict[str, Any]:
        annotations: dict[str, Any] = {}
        hidden = set()
        for statement in node.body:
            match statement:
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    continue
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]) if (
                    self._is_hidden(name, statement)
                ):
                    hidden.add(name)
                    self._local[name] = self._value_or_unknown(statement.value)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value) if not _is_dunder(name):
                    annotations[name] = self.annotation(kind)
                    if value is not None:
                        self._local[name] = self.value(value)
                case ast.Assign(targets=[ast.Name(id="model_config")], value=value):
                    self._local["model_config"] = self._config(value)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    if statement.name in annotations or statement.name in base.model_fields:
                        raise self._not_static(statement, "has the name of a field")
                    self._method(statement)
                case _:
                    raise self._not_static(statement)
        known = {name: value for name, value in self._known_locals().items() if name not in hidden}
        return {"__annotations__": annotations, **known}

    def _is_hidden(self, name: str, statement: ast.Assign | ast.AnnAssign) -> bool:
        """Whether a name is private or the class's own, and so no field."""
        is_private = name.startswith("_") and not _is_dunder(name)
        return is_private or (isinstance(statement, ast.AnnAssign) and self._is_class_var(statement.annotation))

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Pass over a method, if it can change no schema."""
        is_special = _is_dunder(node.name) or node.name in CHANGING_METHODS or node.name.startswith("_generate")
        if is_special and node.name not in METHODS:
            raise self._not_static(node, "may change the schema")
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            of_property = isinstance(called, ast.Attribute) and called.attr in ACCESSORS
            if not of_property and self._static.dotted(called, seen_by=self._binding) not in DECORATORS:
                raise self._not_static(decorator)
            for keyword in decorator.keywords if isinstance(decorator, ast.Call) else []:
                is_plain = keyword.arg == "mode" and _literal(keyword.value) not in {"after", "before", "wrap"}
                if keyword.arg in {None, "json_schema_input_type"} or is_plain:
                    raise self._not_static(decorator, "may change the schema")
        self._local[node.name] = _UNKNOWN

    def _config(self, node: ast.expr) -> dict[str, Any]:
        config = self.value(node)
        if not isinstance(config, dict) or config.get("use_attribute_docstrings"):
            raise self._not_static(node)
        return config

    def _called(self, node: ast.Call) -> Any:
        function = self._function(node.func)
        is_starred = any(isinstance(argument, ast.Starred) for argument in node.args)
        if is_starred or any(keyword.arg is None for keyword in node.keywords):
            raise self._not_static(node)
        arguments = [self.value(argument) for argument in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            # no schema has what a factory makes, only that there is a default
            is_factory = keyword.arg == "default_factory" and _literal(keyword.value) is not None
            named[str(keyword.arg)] = list if is_factory else self.value(keyword.value)
        return function(*arguments, **named)

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        function = CALLS.get(self._dotted(node) or "")
        if function is None:
            raise self._not_static(node)
        return function

    def _member(self, node: ast.Attribute, owner: ast.expr, name: str) -> Any:
        """Return ``Mode.SOFT``, or ``Mode.SOFT.value``."""
        if isinstance(owner, ast.Name) and owner.id not in self._local:
            kind = self._type(owner)
            if isinstance(kind, enum.EnumMeta) and name in kind.__members__:
                return kind.__members__[name]
        elif isinstance(owner, ast.Attribute) and name in {"name", "value"}:
            member = self.value(owner)
            if isinstance(member, enum.Enum):
                return getattr(member, name)
        raise self._not_static(node)

    def _named(self, node: ast.Name) -> Any:
        """Return the literal that the module binds a name to."""
        found = self._static.earlier(node, self._binding)
        match found.statement:
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=ast.expr() as value):
                known = _Body(self._static, found).value(value)
                if _is_immutable(known):
                    return known
        raise self._not_static(node)

    def _type(self, node: ast.expr) -> Any:
        """Return the type that a name stands for."""
        dotted = self._dotted(node)
        if dotted in TYPES:
            return TYPES[dotted]
        if not isinstance(node, ast.Name) or dotted or node.id in self._local:
            raise self._not_static(node)
        found = self._static.earlier(node, self._binding)
        match found.statement:
            case ast.ClassDef():
                return self._static.class_named(node.id)
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=ast.expr() as value):
                return _Body(self._static, found).annotation(value)
        raise self._not_static(node)

    def _subscripted(self, node: ast.Subscript, generic: ast.expr, inside: ast.expr) -> Any:
        dotted = self._dotted(generic)
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if dotted == "typing.Literal":
            return typing.Literal[tuple(self.value(part) for part in parts)]
        if dotted == "typing.Annotated" and len(parts) > 1:
            return typing.Annotated[(self.annotation(parts[0]), *(self.value(part) for part in parts[1:]))]
        if dotted not in GENERICS:
            raise self._not_static(node)
        kinds = tuple(self.annotation(part) for part in parts)
        return GENERICS[dotted][kinds if isinstance(inside, ast.Tuple) else kinds[0]]

    def _unquoted(self, node: ast.Constant, text: str) -> ast.expr:
        """Return what an annotation in quotes says."""
        try:
            body = parse(text.strip()).body
        except SyntaxError:
            body = []
        match body:
            case [ast.Expr(value=inside)] if not any(
                isinstance(part, ast.Name) and part.id in self._local for part in ast.walk(inside)
            ):
                return inside
        raise self._not_static(node)

    def _dotted(self, node: ast.expr) -> str | None:
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        is_local = isinstance(root, ast.Name) and root.id in self._local
        return None if is_local else self._static.dotted(node, seen_by=self._binding)

    def _is_class_var(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = self._unquoted(node, node.value)
        return self._dotted(node.value if isinstance(node, ast.Subscript) else node) == "typing.ClassVar"

    def _value_or_unknown(self, node: ast.expr | None) -> Any:
        try:
            return _UNKNOWN if node is None else self.value(node)
        except NotStatic:
            return _UNKNOWN

    def _checked(self, node: ast.expr, value: Any) -> Any:
        if value is _UNKNOWN or not (_is_immutable(value) or isinstance(value, enum.auto)):
            raise self._not_static(node)
        return value

    def _known_locals(self) -> dict[str, Any]:
        return {name: value for name, value in self._local.items() if value is not _UNKNOWN}

    def _not_static(self, node: ast.AST, *reason: str) -> NotStatic:
        return NotStatic(self._binding.cell, node, *reason)


def _is_immutable(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_immutable, value))
    return isinstance(value, _IMMUTABLE)


def _is_dunder(name: str) -> bool:
    return name.startswith("__")


def _literal(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else ...


def _source(node: ast.AST) -> str:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    return unparse(node).split("\n")[0]
