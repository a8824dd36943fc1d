"""The imports of all tagged cells as one block, as a person would write it at the top of a module."""

from __future__ import annotations

import ast
import builtins
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.cell_source import tokens
from byoc_kit.notebook.names import Binding, bindings, is_kit_import
from byoc_kit.notebook.notebook_file import Cell

_LINE_LENGTH = 88
ImportNode = ast.Import | ast.ImportFrom


@dataclass(frozen=True, order=True)
class ImportedName:
    """One name that is imported: ``import module as alias`` where ``name`` is empty, else from ``module``."""

    module: str
    name: str = ""
    alias: str = ""

    @property
    def text(self) -> str:
        """The name as it stands in its statement."""
        return (self.name or self.module) + (f" as {self.alias}" if self.alias else "")


@dataclass(frozen=True)
class MergedImports:
    """``lines`` of the block, and what each cell is without its part: by cell, the numbers of the lines that stay."""

    lines: Sequence[str]
    origins: Sequence[tuple[Cell, int] | None]
    kept: dict[Cell, list[int]]
    moved: dict[Cell, list[ImportNode]]


@part
def merge_imports(analysis: Analysis) -> MergedImports:
    """Take the imports out of the cells that can stand at the top of the module without changing what it does.

    An import stays where it is

    - if something above may matter to it: a call such as ``matplotlib.use``, a setting such as
      ``os.environ[...] = ...``, control flow;
    - if its name is bound more than once, or is a builtin's, which the code above may use;
    - if it has a comment.
    """
    cells, bound = analysis.cells, bindings(analysis)
    moved = _movable(cells, bound)
    names: dict[ImportedName, tuple[Cell, int]] = {}
    for cell, nodes in moved.items():
        for node in nodes:
            for name in names_of(node):
                names.setdefault(name, (cell, node.lineno))
    ours = ImportedName("byoc_kit")
    if not any(binding.node is binding.statement and is_kit_import(binding.node) for binding in bound):
        names[ours] = (cells[0], 0)
    lines, origins = [], []
    for line, imported in block_lines(names):
        cell, number = names[imported] if imported else (cells[0], 0)
        lines.append(line)
        origins.append((cell, number) if number else None)
    return MergedImports(lines, origins, {cell: _kept(cell, moved[cell]) for cell in cells}, moved)


def is_future(node: ast.AST) -> bool:
    """Whether a statement is a ``from __future__ import``."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def names_of(node: ImportNode) -> list[ImportedName]:
    """Return what a statement imports."""
    if isinstance(node, ast.Import):
        return [ImportedName(alias.name, alias=alias.asname or "") for alias in node.names]
    module = "." * node.level + (node.module or "")
    return [ImportedName(module, alias.name, alias.asname or "") for alias in node.names]


def block_lines(names: Iterable[ImportedName]) -> list[tuple[str, ImportedName | None]]:
    """Return the lines of a block, in groups as isort makes them, each with one of the names it imports."""
    groups: dict[int, list[ImportedName]] = {0: [], 1: [], 2: []}
    for name in sorted(names, key=_order):
        groups[_group(name)].append(name)
    lines: list[tuple[str, ImportedName | None]] = []
    for group in filter(None, groups.values()):
        lines += [("", None)] if lines else []
        lines += [(f"import {name.text}", name) for name in group if not name.name]
        for module in dict.fromkeys(name.module for name in group if name.name):
            lines += _from_lines(module, [name for name in group if name.name and name.module == module])
    return lines


def _from_lines(module: str, names: Sequence[ImportedName]) -> list[tuple[str, ImportedName | None]]:
    line = f"from {module} import {', '.join(name.text for name in names)}"
    if len(line) <= _LINE_LENGTH:
        return [(line, names[0])]
    inner: list[tuple[str, ImportedName | None]] = [(f"    {name.text},", name) for name in names]
    return [(f"from {module} import (", names[0]), *inner, (")", names[0])]


def _group(name: ImportedName) -> int:
    if name.module == "__future__":
        return 0
    return 1 if name.module.split(".")[0] in sys.stdlib_module_names else 2


def _order(name: ImportedName) -> tuple[str, str, str]:
    return name.module, name.name, name.alias


def _movable(cells: Sequence[Cell], bound: Sequence[Binding]) -> dict[Cell, list[ImportNode]]:
    bound_once = _bound_once(cells, bound)
    is_open = True
    moved: dict[Cell, list[ImportNode]] = {}
    for cell in cells:
        moved[cell] = []
        plain_lines = _plain_lines(cell)
        for statement in cell.tree.body:
            if not isinstance(statement, ImportNode):
                is_open &= _is_inert(statement)
                continue
            is_single = all(_bound(name) in bound_once for name in names_of(statement))
            if is_future(statement) or (is_open and is_single and _lines(statement) <= plain_lines):
                moved[cell].append(statement)
    return moved


def _bound_once(cells: Sequence[Cell], bound: Sequence[Binding]) -> set[str]:
    """Return the names that are bound in one way only, builtins not; the same import in two cells is one."""
    ways: dict[str, set[object]] = defaultdict(set)
    for binding in bound:
        if isinstance(binding.node, ImportNode):
            # `import a.b` and `import a.c` bind the same `a`.
            names = (name for name in names_of(binding.node) if _bound(name) == binding.name)
            ways[binding.name] |= {name if name.name or name.alias else binding.name for name in names}
        else:
            ways[binding.name].add((binding.cell.number, id(binding.node)))
    set_by_functions = {
        name for cell in cells for node in cell.nodes if isinstance(node, ast.Global) for name in node.names
    }
    once = {name for name, found in ways.items() if len(found) == 1}
    return once - set_by_functions - set(dir(builtins))


def _bound(name: ImportedName) -> str:
    return name.alias or name.name or name.module.split(".")[0]


def _is_inert(statement: ast.stmt) -> bool:
    """Whether a statement cannot matter to an import below it: a definition, or a name for a value."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Name) for target in targets)
        case ast.AnnAssign(target=ast.Name()):
            return True
    return False


def _plain_lines(cell: Cell) -> set[int]:
    """Return the lines of a cell that bear no comment, stand below none or a backslash, and belong to one statement."""
    marked: set[int] = set()
    try:
        for token in tokens(cell.python):
            if token.type == tokenize.COMMENT:
                is_alone = not token.line[: token.start[1]].strip()
                marked |= {token.start[0], token.start[0] + 1} if is_alone else {token.start[0]}
    except SyntaxError:  # a backslash at the end, which the compiler takes
        return set()
    statements = Counter(line for statement in cell.tree.body for line in _lines(statement))
    shared = {number for number, count in statements.items() if count > 1}
    ends = {number for number, line in enumerate(cell.lines, 1) if line.endswith("\\")}
    firsts = {statement.lineno for statement in cell.tree.body if statement.lineno - 1 in ends}
    continued = firsts | {statement.end_lineno for statement in cell.tree.body if statement.end_lineno in ends}
    return set(statements) - shared - continued - marked


def _lines(statement: ast.stmt) -> set[int]:
    return set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))


def _kept(cell: Cell, moved: Iterable[ImportNode]) -> list[int]:
    """Return the lines that stay in a cell, without empty ones around them."""
    gone = {line for node in moved for line in _lines(node)} | set(cell.dropped_lines)
    lines = cell.lines
    kept = [number for number in range(1, len(lines) + 1) if number not in gone]
    while kept and not lines[kept[0] - 1].strip():
        kept.pop(0)
    while kept and not lines[kept[-1] - 1].strip():
        kept.pop()
    return kept
