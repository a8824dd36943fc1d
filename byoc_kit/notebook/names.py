"""Top-level names and imports of cells: who binds what, and what nobody does."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.joined import join
from byoc_kit.notebook.read import TAG, Cell, Notebook
from byoc_kit.notebook.syntax import parse, parse_untagged


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
    def line(self) -> int:
        """The statement's line in its cell."""
        return self.statement.lineno


@dataclass(frozen=True)
class Import:
    """A top-level module that a cell imports, at whatever depth; optional where an ImportError is handled."""

    module: str
    cell: Cell
    line: int
    is_optional: bool


def bindings(cells: Iterable[Cell]) -> list[Binding]:
    """Return what cells bind at their top level, in order; tagged ones must be Python, others may be anything."""
    return [
        Binding(name, node, statement, cell)
        for cell in cells
        for statement in (parse(cell.source) if cell.is_exported else parse_untagged(cell)).body
        for name, node in _bound(statement)
    ]


def imports(cells: Iterable[Cell]) -> list[Import]:
    """Return what cells import by absolute name."""
    found = []
    for cell in cells:
        tree = parse(cell.source)
        optional = {id(node) for block in ast.walk(tree) for node in _guarded(block)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            found += [Import(name.split(".")[0], cell, node.lineno, id(node) in optional) for name in names]
    return sorted(found, key=lambda i: (i.cell.number, i.line))


def check_names(notebook: Notebook) -> Iterator[Finding]:
    """Yield the names that the tagged cells use and nothing in them defines."""
    from pyflakes import checker, messages

    joined = join(notebook.exported)
    found = checker.Checker(parse(joined.source), notebook.name).messages
    for message in sorted(found, key=lambda message: (message.lineno, message.col)):
        if isinstance(message, messages.UndefinedName):
            cell, line = joined.locate(message.lineno)
            name = message.message_args[0]
            text = f"{name} is not defined in the tagged cells"
            yield Finding("undefined-name", notebook.name, text, _where_defined(notebook, name), cell.number, line)


def check_imports(notebook: Notebook) -> Iterator[Finding]:
    """Yield relative imports: an exported module has no package around it."""
    for cell in notebook.exported:
        for node in ast.walk(parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.level:
                message = f"`{ast.unparse(node)}` is relative, and the exported module has no package around it"
                hint = "import an installed package by its name"
                yield Finding("relative-import", notebook.name, message, hint, cell.number, node.lineno)


def untagged_cell(notebook: Notebook, name: str) -> int | None:
    """Return the number of the first untagged code cell that binds ``name`` at its top level."""
    untagged = [cell for cell in notebook.cells if cell.is_code and not cell.is_exported]
    return next((binding.cell.number for binding in bindings(untagged) if binding.name == name), None)


def _where_defined(notebook: Notebook, name: str) -> str:
    below = next((b.cell.number for b in bindings(notebook.exported) if b.name == name), None)
    if below:
        return f"cell {below} defines it, too late; move the definition up"
    untagged = untagged_cell(notebook, name)
    return f"cell {untagged} defines it; tag that cell `{TAG}`" if untagged else "define or import it"


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
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
    """Yield what stands in a ``try`` that handles a missing module."""
    if not isinstance(block, ast.Try):
        return
    caught = {name.id for h in block.handlers if h.type for name in ast.walk(h.type) if isinstance(name, ast.Name)}
    is_bare = any(handler.type is None for handler in block.handlers)
    if is_bare or caught & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}:
        for statement in block.body:
            yield from ast.walk(statement)
