"""Names in cells: which are bound or imported at the top level, which nothing defines, and which are reserved."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.cell_source import last_name, parse
from byoc_kit.notebook.findings import Place
from byoc_kit.notebook.notebook_file import Cell

Function = ast.FunctionDef | ast.AsyncFunctionDef

# In the order of their use; `process_frame` is always there.
OPTIONAL_HOOKS = ("load_model", "process_audio", "on_stream_start", "on_stream_stop")
HOOKS = ("process_frame", *OPTIONAL_HOOKS)
# The class that the exporter adds to the module.
PROCESSOR = "Processor"

# Names that only a notebook has; they have a finding of their own.
NOTEBOOK_NAMES = {"In", "Out", "display", "get_ipython"}
KIT_FOR_NOTEBOOKS = {"byoc_kit.jupyter", "byoc_kit.preview", "byoc_kit.regress", "byoc_kit.ship"}
# These can be imported anywhere, and need a front end only when they are called.
PROGRESS_FOR_NOTEBOOKS = {"tqdm.notebook", "tqdm.tnrange", "tqdm.tqdm_notebook"}
_FOR_NOTEBOOKS = {
    *("IPython", "anywidget", "bqplot", "google.colab", "ipycanvas", "ipyevents", "ipykernel", "ipyleaflet", "ipympl"),
    *("ipyvuetify", "ipywidgets", "itkwidgets", "jupyter_rfb", "k3d", "kaggle_secrets", "nglview", "pythreejs"),
    *KIT_FOR_NOTEBOOKS,
    *PROGRESS_FOR_NOTEBOOKS,
}


@dataclass(frozen=True)
class Binding:
    """A name that a cell binds at its top level: by ``def``, ``class``, ``import``, assignment, ``for``, ...

    ``node`` is what binds it; ``statement`` is the top-level statement around it, often the same.
    """

    name: str
    node: ast.AST
    statement: ast.stmt
    cell: Cell

    @property
    def place(self) -> Place:
        """Where it is bound."""
        return Place.of(self.cell, self.node)


@dataclass(frozen=True)
class Import:
    """What a cell imports, at whatever depth, by its dotted name; optional where an ImportError is handled."""

    name: str
    place: Place
    is_optional: bool

    @property
    def module(self) -> str:
        """The top-level module."""
        return self.name.split(".")[0]


@part
def bindings(analysis: Analysis) -> list[Binding]:
    """Return what the cells bind at their top level, in order."""
    return bindings_in(analysis.cells)


def bindings_in(cells: Iterable[Cell]) -> list[Binding]:
    """Return what cells bind at their top level, in order; tagged ones must be Python, others may be anything."""
    statements = ((cell, statement) for cell in cells for statement in cell.tree.body)
    return [
        Binding(name, node, statement, cell) for cell, statement in statements for name, node in bound_by(statement)
    ]


@part
def first_bound(analysis: Analysis) -> dict[str, int]:
    """Return the number of the first cell that binds each name."""
    return {binding.name: binding.cell.number for binding in reversed(bindings(analysis))}


@part
def imports(analysis: Analysis) -> list[Import]:
    """Return what the cells import by absolute name, at whatever depth."""
    found = []
    for cell in analysis.cells:
        optional = {id(node) for block in cell.nodes for node in _guarded(block)}
        never = {id(node) for block in cell.nodes for node in _for_type_checkers(block)}
        for node in cell.nodes:
            if id(node) in never:
                continue
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            found += [Import(name, Place.of(cell, node), id(node) in optional) for name in names]
    return sorted(found, key=lambda i: (i.place.cell.number, i.place.line or 0))


def is_kit_import(node: ast.AST) -> bool:
    """Whether a node is an import that binds ``byoc_kit`` to this package."""
    if not isinstance(node, ast.Import):
        return False
    as_itself = [alias for alias in node.names if alias.asname is None and alias.name.split(".")[0] == "byoc_kit"]
    return bool(as_itself) and all(alias.asname != "byoc_kit" for alias in node.names)


def is_for_notebooks(name: str) -> bool:
    """Whether a dotted name is of a module that no container has a use for."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in _FOR_NOTEBOOKS for count in range(1, len(parts) + 1))


def free_names(cell: Cell) -> set[str]:
    """Return the names that a cell uses and does not define, without those that only a notebook has."""
    return {str(message.message_args[0]) for _, message in undefined_names([cell])} - NOTEBOOK_NAMES


def undefined_names(cells: Sequence[Cell]) -> list[tuple[Cell, Any]]:
    """Return pyflakes' messages on names that nothing above defines, each with its cell, in the order of the text."""
    from pyflakes import checker, messages

    kinds = (messages.UndefinedName, messages.UndefinedLocal, messages.ImportStarUsage)
    cell_of = {id(statement): cell for cell in cells for statement in cell.tree.body}
    found: dict[int, tuple[Cell, Any]] = {}

    class Checker(checker.Checker):  # type: ignore[misc]  # pyflakes has no type hints
        def report(self, kind: type[Any], node: ast.AST, *about: Any) -> None:
            super().report(kind, node, *about)
            if issubclass(kind, kinds):
                while id(node) not in cell_of:
                    node = self.getParent(node)
                found[id(self.messages[-1])] = cell_of[id(node)], self.messages[-1]

        def handleStringAnnotation(self, s: str, *where: Any) -> None:  # noqa: N802
            with suppress(SyntaxError):
                parse(s)  # pyflakes minds only what the parser raises of itself
                super().handleStringAnnotation(s, *where)

    tree = ast.Module(body=[statement for cell in cells for statement in cell.tree.body], type_ignores=[])
    left = [found[id(message)] for message in Checker(tree).messages if id(message) in found]  # it takes some back
    return sorted(left, key=lambda one: (one[0].number, one[1].lineno, one[1].col))


def untagged_cell(analysis: Analysis, name: str, *, above: int | None = None) -> int | None:
    """Return the number of the untagged code cell that binds ``name`` at its top level: the last one there is.

    With ``above`` it is the last one above that cell, as the notebook ran it, or else the first below.
    """
    numbers = untagged_names(analysis).get(name, [])
    if above is not None:
        before = [number for number in numbers if number < above]
        numbers = before or numbers[:1]
    return numbers[-1] if numbers else None


@part
def untagged_names(analysis: Analysis) -> dict[str, list[int]]:
    """Return the numbers of the untagged cells that bind each name."""
    numbers = defaultdict(list)
    for binding in bindings_in(analysis.notebook.untagged):
        numbers[binding.name].append(binding.cell.number)
    return dict(numbers)


def bound_by(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that a statement binds in its own scope, in the order of the text."""
    waiting: list[ast.AST] = [statement]
    while waiting:  # no recursion: an expression may be deep
        node = waiting.pop()
        children: Sequence[ast.AST] = list(ast.iter_child_nodes(node))
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
                children = node.decorator_list  # what is inside has a scope of its own
            case ast.Lambda():
                children = []
            case ast.comprehension():
                children = [node.iter, *node.ifs]
            case ast.AnnAssign(value=None):
                children = []  # an annotation alone binds nothing
            case ast.Import():
                yield from ((alias.asname or alias.name.split(".")[0], node) for alias in node.names)
            case ast.ImportFrom():
                yield from ((alias.asname or alias.name, node) for alias in node.names)
            case ast.Name(ctx=ast.Store()):
                yield node.id, node
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name, node
        waiting += reversed(children)


def _guarded(block: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands where a missing module is handled: in a ``try``, ``suppress``, or below ``find_spec``."""
    guarded = handling(block, {"ImportError", "ModuleNotFoundError"})
    match block:
        case ast.If(
            body=body, test=ast.Call(func=function) | ast.Compare(left=ast.Call(func=function), ops=[ast.IsNot()])
        ) if last_name(function) == "find_spec":
            guarded = body
    for statement in guarded:
        yield from ast.walk(statement)


def handling(block: ast.AST, errors: AbstractSet[str]) -> Sequence[ast.stmt]:
    """Return the statements inside a ``try`` or a ``suppress`` that handles one of these exceptions; else none."""
    match block:
        case ast.Try(body=body, handlers=handlers):
            return body if any(_catches(handler.type, errors) for handler in handlers) else []
        case ast.With(body=body, items=items):
            calls = [item.context_expr for item in items if isinstance(item.context_expr, ast.Call)]
            suppressed = [error for call in calls if last_name(call.func) == "suppress" for error in call.args]
            return body if any(_catches(error, errors) for error in suppressed) else []
    return []


def _for_type_checkers(block: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands below ``if TYPE_CHECKING``, which never runs."""
    if isinstance(block, ast.If) and last_name(block.test) == "TYPE_CHECKING":
        for statement in block.body:
            yield from ast.walk(statement)


def _catches(caught: ast.expr | None, errors: AbstractSet[str]) -> bool:
    if caught is None:
        return True
    names = {name.id for name in ast.walk(caught) if isinstance(name, ast.Name)}
    return bool(names & {*errors, "Exception", "BaseException"})
