"""What would keep a notebook from being exported, as values. Nothing is run."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from byoc_kit.capability import Capability
from byoc_kit.notebook.read import TAG, Cell, Notebook, NotebookError
from byoc_kit.params import params_error

# The class that the exporter adds to the module.
PROCESSOR = "Processor"

_MAGIC = re.compile(r"^\s*(%{1,2}[A-Za-z]|!|\?|[A-Za-z_][\w.]*\?\??\s*$)", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """One fault: a stable code, where it is, what is wrong and what to do."""

    code: str
    notebook: str
    message: str
    hint: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.notebook
        if self.cell is not None:
            place += f", cell {self.cell}"
        if self.line is not None:
            place += f", line {self.line}"
        return f"{place}: {self.message}; {self.hint} [{self.code}]"


def check(notebook: Notebook) -> list[Finding]:
    """Return what is wrong with a notebook; an empty list means that it can be exported."""
    cells = notebook.exported
    if not cells:
        hint = f"tag the cells that belong in the container `{TAG}` (right sidebar, property inspector, Cell Tags)"
        return [Finding("no-tagged-cell", notebook.name, "no code cell with something in it is tagged", hint)]
    unparsable = [finding for cell in cells for finding in _check_syntax(notebook, cell)]
    if unparsable:
        return unparsable
    return [*_check_hooks(notebook), *_check_capability(notebook), *_check_names(notebook)]


def require_exportable(notebook: Notebook) -> None:
    """Raise :class:`NotebookError` with one line a finding, if there are any."""
    findings = check(notebook)
    if findings:
        raise NotebookError("\n".join(map(str, findings)))


def read_capability(notebook: Notebook) -> Capability:
    """Read ``capability = Capability(...)`` without running it. Raises :class:`NotebookError` where it cannot be."""
    return _capability(notebook)


def _check_syntax(notebook: Notebook, cell: Cell) -> Iterator[Finding]:
    try:
        # compile() besides the parser, which lets `return` and `await` outside a function through
        compile(cell.source, notebook.name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = error.lineno or 1
        lines = cell.source.splitlines()
        text = lines[line - 1].strip() if line <= len(lines) else ""
        magic = _MAGIC.search(cell.source)
        if magic and _MAGIC.match(lines[line - 1] if line <= len(lines) else ""):
            hint = "move it to a cell without the tag"
            yield Finding("magic", notebook.name, f"`{text}` is IPython, not Python", hint, cell.number, line)
            return
        hint = "run the cell to see it, and mend it"
        yield Finding("syntax-error", notebook.name, f"{error.msg}: `{text}`", hint, cell.number, line)
    except ValueError as error:
        yield Finding("syntax-error", notebook.name, str(error), "retype the cell", cell.number)


def _definitions(notebook: Notebook) -> Iterator[tuple[str, Cell, int]]:
    """Yield the names that tagged cells bind at the top level by ``def``, ``class`` and assignment."""
    for cell in notebook.exported:
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name, cell, node.lineno
            elif isinstance(node, ast.Assign):
                yield from ((t.id, cell, node.lineno) for t in node.targets if isinstance(t, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id, cell, node.lineno


def _check_hooks(notebook: Notebook) -> Iterator[Finding]:
    places = [(cell, line) for name, cell, line in _definitions(notebook) if name == "process_frame"]
    if not places:
        hint = "define process_frame(frame) or process_frame(frame, params) in a tagged cell"
        untagged = _untagged_definition(notebook, "process_frame")
        if untagged:
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`"
        yield Finding("no-process-frame", notebook.name, "no tagged cell defines process_frame", hint)
    for cell, line in places[1:]:
        message = f"process_frame is defined a second time (first in cell {places[0][0].number})"
        yield Finding("two-process-frames", notebook.name, message, "keep one of them tagged", cell.number, line)
    for name, cell, line in _definitions(notebook):
        if name == PROCESSOR:
            message = f"the name {PROCESSOR} is taken: the exporter adds a class of that name"
            yield Finding("reserved-name", notebook.name, message, "rename yours", cell.number, line)
        if name == "process_audio":
            message = "process_audio is not exported yet: sound passes through untouched"
            yield Finding("no-process-audio", notebook.name, message, "remove the tag", cell.number, line)


def _check_capability(notebook: Notebook) -> Iterator[Finding]:
    try:
        _capability(notebook)
    except _CapabilityError as error:
        yield error.finding


class _CapabilityError(NotebookError):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


def _capability(notebook: Notebook) -> Capability:
    hint = 'write capability = Capability(model_id="my-model", price_per_unit=3000) in a tagged cell'
    places = [
        (cell, node)
        for cell in notebook.exported
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "capability" for t in node.targets)
    ]
    if not places:
        message = "no tagged cell says what the container offers"
        raise _CapabilityError(Finding("no-capability", notebook.name, message, hint))
    cell, node = places[-1]

    def finding(message: str, hint: str) -> _CapabilityError:
        return _CapabilityError(Finding("capability", notebook.name, message, hint, cell.number, node.lineno))

    if not isinstance(node.value, ast.Call) or node.value.args:
        message = "capability must be a call of Capability with named arguments"
        raise finding(message, hint)
    try:
        arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.value.keywords}
    except ValueError:
        message = "an argument of Capability is no literal, and the exporter does not run the notebook"
        raise finding(message, "write the value itself") from None
    try:
        return Capability(**arguments)
    except ValidationError as error:
        raise finding(f"Capability: {params_error(error)}", "mend the argument") from None


def _check_names(notebook: Notebook) -> Iterator[Finding]:
    from pyflakes import checker, messages

    for cell, found in _pyflakes(notebook, checker.Checker):
        if isinstance(found, messages.UndefinedName):
            name = found.message_args[0]
            untagged = _untagged_definition(notebook, name)
            hint = f"cell {untagged} defines it; tag that cell `{TAG}`" if untagged else "define or import it"
            message = f"{name} is not defined in the tagged cells"
            yield Finding("undefined-name", notebook.name, message, hint, cell.number, found.lineno)


def _pyflakes(notebook: Notebook, checker: type) -> Iterator[tuple[Cell, object]]:
    """Yield pyflakes' messages over the tagged cells as one module, each with its cell and the line in the cell."""
    cells = notebook.exported
    starts = [0]
    for cell in cells:
        starts.append(starts[-1] + len(cell.source.splitlines()))
    source = "".join(line + "\n" for cell in cells for line in cell.source.splitlines())
    try:
        found = checker(ast.parse(source), notebook.name).messages
    except RecursionError:
        sys.stderr.write(f"{notebook.name}: too deeply nested for the name analysis, which is left out\n")
        return
    for message in sorted(found, key=lambda message: message.lineno):
        index = next(i for i in range(len(cells)) if message.lineno <= starts[i + 1])
        message.lineno -= starts[index]
        yield cells[index], message


def _untagged_definition(notebook: Notebook, name: str) -> int | None:
    """Return the number of the first untagged cell that binds ``name`` at its top level."""
    for cell in notebook.cells:
        if not cell.is_code or cell.is_exported:
            continue
        try:
            tree = ast.parse(cell.source)
        except (SyntaxError, ValueError):
            continue
        for node in tree.body:
            bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            bound |= {
                a.asname or a.name.split(".")[0]
                for n in [node]
                if isinstance(n, ast.Import | ast.ImportFrom)
                for a in n.names
            }
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound = {node.name}
            if name in bound:
                return cell.number
    return None
