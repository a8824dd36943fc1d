"""Texts that tagged cells pass to functions and classes of their own: ``Net("net.pt")``, which calls ``torch.load``."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeGuard

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, calls, local_names, module_scope
from byoc_kit.notebook.cell_source import last_name
from byoc_kit.notebook.constants import bound_once, literal_path, text_constants
from byoc_kit.notebook.names import HOOKS, Function, bindings
from byoc_kit.notebook.notebook_file import Cell

# Functions that each call the next with two texts double the runs with each step.
_MOST_RUNS = 500


@dataclass(frozen=True, eq=False)
class Text:
    """A text that is passed on, and the expression that it was first written as."""

    text: str
    node: ast.expr
    cell: Cell


@dataclass(frozen=True, eq=False)
class Passed:
    """A call in a function, where names stand for texts that the function was given; ``label`` is the function's."""

    call: Reference
    known: Mapping[str, str]
    texts: Mapping[str, Text]
    label: str

    def origin_of(self, node: ast.expr) -> Text | None:
        """Return the first text that an expression uses and that was passed."""
        return _used(node, self.texts)


def passed_calls(analysis: Analysis) -> Iterator[Passed]:
    """Yield the calls in functions of the tagged cells that are given texts, once for each that gives some."""
    yield from _Code(analysis).passed()


@dataclass(frozen=True, eq=False)
class _Own:
    """A function of the tagged cells, or a method of the class ``owner``."""

    label: str
    node: Function
    cell: Cell
    owner: ast.ClassDef | None = None

    @property
    def itself(self) -> str:
        """What a method calls its object; empty for a function."""
        is_static = any(last_name(decorator) == "staticmethod" for decorator in self.node.decorator_list)
        return self._positional[0] if self.owner is not None and not is_static and self._positional else ""

    @property
    def _positional(self) -> list[str]:
        return [argument.arg for argument in (*self.node.args.posonlyargs, *self.node.args.args)]

    @cached_property
    def local_names(self) -> dict[str, str | None]:
        """The names of its own scope."""
        return local_names(self.node)

    @cached_property
    def assigned(self) -> list[tuple[str, ast.expr]]:
        """The names and the attributes that one plain assignment binds, in the order of the text, and what it says."""
        nodes = (node for node in ast.walk(self.node) if isinstance(node, ast.Assign) and len(node.targets) == 1)
        plain = [(node.targets[0], node.value) for node in nodes]
        times = Counter(_dotted(target) for target, _ in plain)
        in_order = sorted(plain, key=lambda pair: pair[0].lineno)
        named = [(_dotted(target), value) for target, value in in_order]
        return [(name, value) for name, value in named if times[name] == 1 and self._stores[name] <= 1]

    @cached_property
    def changed(self) -> set[str]:
        """The names that are bound in any other way than by one plain assignment."""
        return set(self._stores) - {name for name, _ in self.assigned}

    @cached_property
    def _stores(self) -> Counter[str]:
        names = (node for node in ast.walk(self.node) if isinstance(node, ast.Name))
        return Counter(node.id for node in names if isinstance(node.ctx, ast.Store))

    def given(self, call: ast.Call | None) -> dict[str, ast.expr]:
        """Return the parameters that a call gives, by their names; without a call there are none."""
        named = [argument.arg for argument in self.node.args.kwonlyargs]
        return _given(self._positional[bool(self.itself) :], named, call)

    @property
    def defaults(self) -> dict[str, ast.expr]:
        """The defaults of the parameters."""
        arguments = self.node.args
        pairs = [*zip(reversed(self._positional), reversed(arguments.defaults), strict=False)]
        named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        return {**dict(pairs), **{argument.arg: default for argument, default in named if default is not None}}


@dataclass(frozen=True, eq=False)
class _Run:
    """A function that is run with some of its names standing for texts."""

    own: _Own
    texts: Mapping[str, Text]

    @property
    def key(self) -> object:
        """What tells it from other runs."""
        return id(self.own.node), frozenset((name, text.text, id(text.node)) for name, text in self.texts.items())


class _Code:
    """The functions and classes of the tagged cells, and what runs them with texts."""

    def __init__(self, analysis: Analysis) -> None:
        self._constants = text_constants(analysis)
        self._calls = calls(analysis)
        self._scope = module_scope(analysis)
        self._functions: dict[str, _Own] = {}
        self._classes: dict[str, dict[str, _Own]] = {}  # the methods by their names
        self._nodes: dict[str, ast.ClassDef] = {}
        times = Counter(binding.name for binding in bindings(analysis))
        for binding in bindings(analysis):
            node, name = binding.node, binding.name
            if times[name] > 1 or binding.statement is not node:
                continue
            if isinstance(node, Function):
                self._functions[name] = _Own(name, node, binding.cell)
            elif isinstance(node, ast.ClassDef):
                inherited = [self._classes.get(last_name(base), {}) for base in reversed(node.bases)]
                own = {s.name: _Own(name, s, binding.cell, node) for s in node.body if isinstance(s, Function)}
                self._nodes[name] = node
                self._classes[name] = {method: one for methods in (*inherited, own) for method, one in methods.items()}
        self._objects = {name: last_name(value.func) for name, value in bound_once(analysis) if _is_call(value)}

    def passed(self) -> Iterator[Passed]:
        """Yield the calls in functions that are run with texts."""
        every = [*self._functions.values(), *(own for methods in self._classes.values() for own in methods.values())]
        around = {id(node): own for own in every for node in ast.walk(own.node)}
        inside: dict[int, list[Reference]] = defaultdict(list)
        waiting = [_Run(own, self._inside(own, None, {})) for name, own in self._functions.items() if name in HOOKS]
        for call in self._calls:
            own = around.get(id(call.node))
            if own is not None:
                inside[id(own.node)].append(call)
            waiting += self._runs(call, own, {})
        done: set[object] = set()
        for run in waiting:  # which grows
            if len(done) == _MOST_RUNS:
                return
            if run.key in done or not run.texts:
                continue
            done.add(run.key)
            for call in inside[id(run.own.node)]:
                texts = _not_shadowed(run.texts, call)
                seen = replace(call, scope=call.scope.new_child(dict.fromkeys(texts, None)))
                yield Passed(seen, self._known(texts), texts, run.own.label)
                waiting += self._runs(seen, run.own, texts)

    def _runs(self, call: Reference, around: _Own | None, passed: Mapping[str, Text]) -> Iterator[_Run]:
        """Yield the functions that a call runs with texts; those of ``passed`` only, where there are some."""
        nodes = {id(text.node) for text in passed.values()}
        for own, texts in self._called(call, around, passed):
            if any(not passed or id(text.node) in nodes for text in texts.values()):
                yield _Run(own, texts)

    def _called(
        self, call: Reference, around: _Own | None, passed: Mapping[str, Text]
    ) -> Iterator[tuple[_Own, dict[str, Text]]]:
        owner = around.owner if around else None
        own = None
        match call.node:
            case ast.Name(id=name) if call.scope.get(name) is None and name in self._classes:
                yield from self._made(name, call, passed)
            case ast.Name(id=name) if call.scope.get(name) is None:
                own = self._functions.get(name)
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=method) if owner:
                bases = (self._classes.get(last_name(base), {}) for base in owner.bases)
                own = next((methods[method] for methods in bases if method in methods), None)
            case ast.Attribute(value=ast.Name(id=name), attr=method):
                kind = owner.name if owner and around and name == around.itself else self._objects.get(name, name)
                own = self._classes.get(kind, {}).get(method)
        if own is not None:
            yield own, self._inside(own, call, passed)

    def _made(self, kind: str, call: Reference, passed: Mapping[str, Text]) -> Iterator[tuple[_Own, dict[str, Text]]]:
        """Yield the methods of an object with the texts that it is made with, which its attributes keep."""
        methods = self._classes[kind]
        init = methods.get("__init__")
        if init is not None:
            found = self._inside(init, call, passed)
            yield init, found
            kept = {name.partition(".")[2]: text for name, text in found.items() if "." in name}
        else:
            node = self._nodes[kind]
            is_dataclass = any(last_name(_called(decorator)) == "dataclass" for decorator in node.decorator_list)
            fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
            kept = self._texts(_given(fields, [], call.call), call, passed) if is_dataclass else {}
        for method in methods.values():
            if method is not init:
                yield method, {f"{method.itself}.{name}": text for name, text in kept.items()}

    def _inside(self, own: _Own, call: Reference | None, passed: Mapping[str, Text]) -> dict[str, Text]:
        """Return the names that are texts in a function that is called so: parameters, locals, and attributes."""
        given = own.given(call.call if call else None)
        found = self._texts({name: node for name, node in own.defaults.items() if name not in given}, own, {})
        if call is not None:
            found |= self._texts(given, call, passed)
        found = {name: text for name, text in found.items() if name not in own.changed}
        for name, value in own.assigned:
            text = self._texts({name: value}, own, found).get(name)
            if text is not None:
                found[name] = text
            else:
                found.pop(name, None)
        return found

    def _texts(
        self, given: Mapping[str, ast.expr], where: _Own | Reference, passed: Mapping[str, Text]
    ) -> dict[str, Text]:
        """Return those of the expressions that are texts, by their names."""
        scope = where.scope if isinstance(where, Reference) else self._scope.new_child(where.local_names)
        scope = scope.new_child(dict.fromkeys(passed, None))
        known = self._known(passed)
        found = {}
        for name, node in given.items():
            text = literal_path(node, scope, known)
            if text is not None:
                origin = _used(node, passed) or Text(text, node, where.cell)
                found[name] = replace(origin, text=text)
        return found

    def _known(self, texts: Mapping[str, Text]) -> dict[str, str]:
        return {**self._constants, **{name: text.text for name, text in texts.items()}}


def _given(positional: list[str], named: list[str], call: ast.Call | None) -> dict[str, ast.expr]:
    """Return what a call gives the parameters of these names; nothing where a star hides which."""
    if call is None or any(isinstance(argument, ast.Starred) for argument in call.args):
        return {}
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg in {*positional, *named}}
    return {**dict(zip(positional, call.args, strict=False)), **{str(name): node for name, node in keywords.items()}}


def _not_shadowed(texts: Mapping[str, Text], call: Reference) -> dict[str, Text]:
    """Return the texts whose names a call sees: functions inside the one that was given them may have others."""
    inner = {name for scope in call.scope.maps[:-2] for name in scope}
    return {name: text for name, text in texts.items() if name not in inner}


def _used(node: ast.expr, texts: Mapping[str, Text]) -> Text | None:
    names = (_dotted(part) for part in ast.walk(node))
    return next((texts[name] for name in names if name in texts), None)


def _dotted(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
    return ""


def _is_call(node: ast.expr) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call)


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator
