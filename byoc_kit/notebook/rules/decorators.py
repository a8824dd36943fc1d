"""Decorators of the notebook's own that hide a hook's ``params``: the server would call it without them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import last_name, own_nodes, unparse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import Binding, Function, bindings
from byoc_kit.notebook.params_class import takes_params
from byoc_kit.notebook.static_eval import static_of

HIDDEN_PARAMS = Rule(
    code="hidden-params",
    severity=Severity.ERROR,
    about="a decorator hides from the server that a hook takes params",
    why=(
        "The server looks at the signature of a hook to see whether it takes `params`. A wrapper of `*args, **kwargs`"
        " does not show it, so the hook is called without them."
    ),
    example="""\
def timed(function):
    def run(*args, **kwargs):
        return function(*args, **kwargs)
    return run

@timed
def process_frame(frame, params):
    return frame
""",
    ignorable=True,
)

_HOOKS = ("process_frame", "process_audio")
# What keeps the signature of the function that is wrapped.
_KEEPS = {"wraps", "update_wrapper", "__wrapped__", "__signature__"}

_Inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Maker = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def check_decorators(analysis: Analysis) -> Iterator[Finding]:
    """Yield the decorators that put ``(*args, **kwargs)`` in the place of a hook that takes parameters."""
    bound, static = bindings(analysis), static_of(analysis)
    defined = {binding.name: binding for binding in bound if isinstance(binding.node, Function | ast.ClassDef)}
    for hook in _HOOKS:
        binding = defined.get(hook)
        if binding is None or not isinstance(binding.node, Function) or not takes_params(static, binding.node):
            continue
        for decorator, used in _decorators(hook, bound):
            found = _hiding(decorator, defined)
            if found is not None:
                message = f"{hook} takes params, and `{shown(unparse(decorator))}` hides that from the server"
                yield Finding(HIDDEN_PARAMS, analysis.name, message, _hint(*found), Place.of(used.cell, decorator))


def _hint(maker: _Maker, inner: _Inner) -> str:
    """Say where functools.wraps goes; it shows what is behind."""
    if isinstance(maker, ast.ClassDef):
        return f"write functools.update_wrapper(self, function) in the __init__ of {maker.name}"
    wrapped = next((argument.arg for argument in maker.args.args), "function")
    if isinstance(inner, ast.Lambda):
        return f"return functools.wraps({wrapped})(lambda ...) in {maker.name}"
    return f"write @functools.wraps({wrapped}) above {inner.name}"


def _decorators(hook: str, bound: Sequence[Binding]) -> Iterator[tuple[ast.expr, Binding]]:
    """Yield what is written above a hook, and what it is given to by ``hook = decorator(hook)``."""
    for binding in bound:
        if binding.name != hook:
            continue
        match binding.statement:
            case ast.FunctionDef(decorator_list=decorators) | ast.AsyncFunctionDef(decorator_list=decorators):
                yield from ((decorator, binding) for decorator in decorators)
            case ast.Assign(value=ast.Call(func=decorator, args=[ast.Name(id=name)])) if name == hook:
                yield decorator, binding


def _hiding(decorator: ast.expr, defined: Mapping[str, Binding]) -> tuple[_Maker, _Inner] | None:
    """Return what a decorator puts in a hook's place, and what makes it, if that takes anything and passes it on."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    node = defined[called.id].node if isinstance(called, ast.Name) and called.id in defined else None
    if node is None or any(last_name(part) in _KEEPS for part in ast.walk(node)):
        return None
    made = _made_by(node)
    if isinstance(decorator, ast.Call):  # what it makes is the decorator
        made = [pair for _, one in made for pair in _made_by(one)]
    return next(((maker, inner) for maker, inner in made if _passes_all(inner)), None)


def _made_by(node: ast.AST) -> list[tuple[_Maker, _Inner]]:
    """Return the functions that calling a function or a class gives, if all that it gives are its own."""
    if isinstance(node, ast.ClassDef):
        return [(node, part) for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__call__"]
    if not isinstance(node, Function):
        return []
    own = list(own_nodes(node))
    inner = {part.name: part for part in own if isinstance(part, Function)}
    returned = [part.value for part in own if isinstance(part, ast.Return)]
    made: list[tuple[_Maker, _Inner]] = []
    for value in returned:
        if isinstance(value, ast.Lambda):
            made.append((node, value))
        elif isinstance(value, ast.Name) and value.id in inner:
            made.append((node, inner[value.id]))
        else:
            return []
    return made


def _passes_all(inner: _Inner) -> bool:
    """Whether it takes anything, and gives all of it to a call without adding ``params``."""
    arguments = inner.args
    stars = {star.arg for star in (arguments.vararg, arguments.kwarg) if star}
    named = {argument.arg for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    calls = [node for node in ast.walk(inner) if isinstance(node, ast.Call)]
    given = {keyword.arg for call in calls for keyword in call.keywords}
    passed = {last_name(part.value) for call in calls for part in call.args if isinstance(part, ast.Starred)}
    passed |= {last_name(keyword.value) for call in calls for keyword in call.keywords if keyword.arg is None}
    is_plain = isinstance(inner, ast.Lambda) or not inner.decorator_list
    return bool(stars) and stars <= passed and "params" not in named | given and is_plain
