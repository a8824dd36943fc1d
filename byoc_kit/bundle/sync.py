"""``byoc-kit sync``: takes edits of ``processor.py`` back to the notebook's cells."""

from __future__ import annotations

import ast
import difflib
import json
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from byoc_kit.bundle.drift import drift
from byoc_kit.bundle.manifest import PROCESSOR
from byoc_kit.bundle.module_map import Exported, ExportedCell, read_exported, split_module, text_sha256
from byoc_kit.bundle.plan import plan_again, staged
from byoc_kit.core.bundle_reader import BundleError, read_bundle
from byoc_kit.errors import printable, shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import parse, tokens
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.findings import Finding, require_no_error
from byoc_kit.notebook.imports import ImportedName, ImportNode, MergedImports, block_lines, merge_imports, names_of
from byoc_kit.notebook.notebook_file import Cell, Notebook, dump_notebook, parse_notebook, read_file, write_notebook


class SyncError(BundleError):
    """An edit cannot go back to the notebook; nothing was written.

    If a part changed on both sides, ``diff`` shows the difference for a terminal; else it is empty.
    """

    def __init__(self, message: str, *, diff: str = "") -> None:
        super().__init__(message)
        self.diff = diff


class Synced(NamedTuple):
    """The cells that a sync changed, as they are now, and the warnings and notes about the notebook.

    ``is_written`` says that the bundle differed from the notebook and was exported again.
    """

    cells: list[Cell]
    findings: tuple[Finding, ...]
    is_written: bool


def sync(folder: Path) -> Synced:
    """Take the edits of a bundle's ``processor.py`` back to its notebook, and export it again.

    Everything is planned before anything is written; if a step fails, notebook and bundle are unchanged. Raises
    ``SyncError`` if a cell has also changed in the notebook, and if an edit belongs to no cell.
    """
    bundle, exported = read_bundle(folder), read_exported(folder)
    raw = read_file(bundle.notebook)
    notebook = parse_notebook(raw, name=bundle.notebook.name, folder=bundle.notebook.parent)
    module = _read_module(folder / PROCESSOR)
    analysis = Analysis(notebook)
    changed = edited_cells(analysis, exported, module)
    new = _with_sources(raw, changed)
    if changed:
        analysis = Analysis(parse_notebook(new, name=notebook.name, folder=notebook.folder))
    if not changed and not drift(analysis, folder):
        return Synced([], (), is_written=False)
    plan = plan_again(analysis, folder)
    with staged(plan, taken_back={PROCESSOR}) as put:
        if (
            _read_module(folder / PROCESSOR) != module
        ):  # the plan may have waited for pip, and edits may have come since
            msg = f"{folder / PROCESSOR} was edited in the meantime, and nothing was taken back; sync again"
            raise SyncError(msg)
        if changed:
            write_notebook(bundle.notebook, new, before=raw)
        try:
            put()
        except BaseException:
            if changed:
                write_notebook(bundle.notebook, raw)
            raise
    return Synced([analysis.notebook.cells[cell.number - 1] for cell in changed], plan.findings, is_written=True)


def _with_sources(raw: bytes, changed: Mapping[Cell, str]) -> bytes:
    """Return a notebook's file with new sources in some cells."""
    if not changed:
        return raw
    document = json.loads(raw)
    for cell, source in changed.items():
        _put(document["cells"][cell.number - 1], source)
    return dump_notebook(document, raw).encode()


def edited_cells(analysis: Analysis, exported: Exported, module: str) -> dict[Cell, str]:
    """Return the cells that a module's edits change, with their new sources. Raises ``SyncError``."""
    parts = split_module(module, exported.markers)
    if text_sha256(parts.own) != exported.own_sha256:
        msg = "the docstring and the class at the end are the exporter's own; take your edit there back"
        raise SyncError(msg)
    notebook, merged = analysis.notebook, _merged_imports(analysis)
    by_id: dict[str | int, Cell] = {cell.id or cell.number: cell for cell in notebook.exported}
    edits: dict[Cell, list[str]] = {}
    for was in exported.cells:
        section = parts.sections.get(was.marker)
        if section is None or text_sha256(section) == was.section_sha256:
            continue
        cell = by_id.get(was.id or was.cell) or _gone(notebook, was)
        kept = merged.kept.get(cell, [])
        before = [cell.lines[number - 1] for number in kept]
        if "\n".join(before) == section:
            continue  # the notebook has the same edit
        if text_sha256(cell.source) != was.source_sha256 or text_sha256("\n".join(before)) != was.section_sha256:
            raise _both_changed(notebook, was.label, before, section.split("\n"))
        edits[cell] = section.split("\n")
    try:
        sources = _new_sources(notebook, merged, edits)
    except SyntaxError:  # a check of the notebook says which cell, and why
        return {cell: "\n".join(lines) for cell, lines in edits.items()}
    if text_sha256(parts.imports) != exported.imports_sha256:
        before_block = "\n".join(merged.lines)
        if parts.imports != before_block:
            if text_sha256(before_block) != exported.imports_sha256:
                raise _both_changed(notebook, "the imports", merged.lines, parts.imports.split("\n"))
            _edit_imports(notebook, merged.moved, parts.imports, sources)
    return {cell: source for cell, source in sources.items() if source != "\n".join(cell.lines)}


def _merged_imports(analysis: Analysis) -> MergedImports:
    try:
        return merge_imports(analysis)
    except SyntaxError:
        require_no_error(check_notebook(analysis))
        raise


def _gone(notebook: Notebook, was: ExportedCell) -> NoReturn:
    msg = (
        f"{was.label} was edited in processor.py and is gone from {notebook.name}; keep your edit elsewhere, "
        f"and export with --force"
    )
    raise SyncError(msg)


def _both_changed(notebook: Notebook, what: str, theirs: Sequence[str], ours: Sequence[str]) -> SyncError:
    of = f"{what} in"
    lines = difflib.unified_diff(theirs, ours, f"{of} {notebook.name}", f"{of} {PROCESSOR}", lineterm="")
    return SyncError(
        f"{what} changed in {notebook.name} and in processor.py since the export; keep your edit elsewhere, "
        f"export with --force, and edit the notebook",
        diff="".join(f"{printable(line)}\n" for line in lines),
    )


def _new_sources(notebook: Notebook, merged: MergedImports, edits: Mapping[Cell, Sequence[str]]) -> dict[Cell, str]:
    """Return the sources of the cells whose parts are edited. Raises ``SyntaxError`` if one is not valid Python.

    Lines of a cell that the module does not show stay in their places. They go to the cell's top if they could not stay
    hidden otherwise: an import with a new comment above it, or a `from __future__` with new code above it.
    """
    sources: dict[Cell, str] = {}
    if not edits:
        return sources
    for cell, lines in edits.items():
        before = [cell.lines[number - 1] for number in merged.kept[cell]]
        sources[cell] = "\n".join(_with_edits(cell.lines, merged.kept[cell], before, lines))
        if not _is_python(replace(cell, source=sources[cell])):  # a `from __future__` now has code above it
            sources[cell] = _below_hidden(cell, merged, lines)
    after = [replace(cell, source=sources.get(cell, cell.source)) for cell in notebook.exported]
    kept = merge_imports(Analysis(notebook, after)).kept
    for cell, new in zip(notebook.exported, after, strict=True):
        if cell in edits and [new.lines[number - 1] for number in kept[new]] != edits[cell]:
            sources[cell] = _below_hidden(cell, merged, edits[cell])
    return sources


def _below_hidden(cell: Cell, merged: MergedImports, lines: Sequence[str]) -> str:
    """Return a cell's source with its edited part below all lines that the module does not show."""
    shown = set(merged.kept[cell])
    hidden = [line for number, line in enumerate(cell.lines, 1) if number not in shown]
    return "\n".join([*hidden, "", *lines]).lstrip("\n")


def _is_python(cell: Cell) -> bool:
    try:
        _ = cell.tree
    except SyntaxError:
        return False
    return True


def _with_edits(lines: Sequence[str], kept: Sequence[int], before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return a cell's lines with the edits of its part; ``kept`` has the numbers of the part's old lines, ``before``.

    Lines of the cell that are not in its part, such as imports, stay where they are.
    """
    edited: list[str] = []
    taken = 0  # the number of the cell's lines that are done

    def up_to(index: int) -> None:
        nonlocal taken
        if index < len(kept):
            edited.extend(lines[taken : kept[index] - 1])
            taken = kept[index] - 1

    for operation, first, last, begin, end in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        up_to(first)
        for index in range(first, last):
            up_to(index)
            if operation == "equal":
                edited.append(lines[taken])
            taken += 1
        if operation != "equal":
            edited.extend(after[begin:end])
    return [*edited, *lines[taken:]]


def _edit_imports(
    notebook: Notebook, moved: dict[Cell, list[ImportNode]], block: str, sources: dict[Cell, str]
) -> None:
    """Add new imports to the first cell with imports, and remove deleted imports from all cells."""
    wanted = _imported(block)
    had = {name for nodes in moved.values() for node in nodes for name in names_of(node)}
    gone, new = had - wanted, wanted - had - {ImportedName("byoc_kit")}
    if new:
        added = [line for line, _ in block_lines(new) if line]
        home = next((cell for cell, nodes in moved.items() if nodes), None)
        if home:
            last = moved[home][-1]
            sources[home] = _replaced(home, sources, last, [*_statement(home, last), *added])
        else:
            first = notebook.exported[0]
            lines = sources.get(first, "\n".join(first.lines)).split("\n")
            top = sum(number == at for at, number in enumerate(first.dropped_lines, 1))  # a cell magic stays first
            sources[first] = "\n".join([*lines[:top], *added, "", *lines[top:]])
    for cell, nodes in moved.items():
        for node in nodes:
            if gone & set(names_of(node)):
                left = [line for line, _ in block_lines(set(names_of(node)) - gone)]
                sources[cell] = _replaced(cell, sources, node, left)


def _replaced(cell: Cell, sources: dict[Cell, str], node: ImportNode, left: Sequence[str]) -> str:
    """Return a cell's source with one statement replaced, wherever edits have moved its lines."""
    old = _statement(cell, node)
    source = sources.get(cell, "\n".join(cell.lines))
    lines = source.split("\n")
    begins = [other.lineno - 1 for other in replace(cell, source=source).tree.body if isinstance(other, ImportNode)]
    at = next(begin for begin in begins if lines[begin : begin + len(old)] == old)
    return "\n".join([*lines[:at], *left, *lines[at + len(old) :]])


def _statement(cell: Cell, node: ImportNode) -> list[str]:
    return cell.lines[node.lineno - 1 : node.end_lineno]


def _imported(block: str) -> set[ImportedName]:
    try:
        tree = parse(block)
        has_comment = any(token.type == tokenize.COMMENT for token in tokens(block))
    except SyntaxError as error:
        msg = f"the imports of processor.py are not valid Python ({error.msg}); fix them"
        raise SyncError(msg) from None
    for node in tree.body:
        if not isinstance(node, ImportNode) or (isinstance(node, ast.ImportFrom) and node.level):
            first, *more = ast.unparse(node).split("\n")
            said = shown(first) + " ..." * bool(more)
            msg = f"`{said}` stands above the first cell and is not an import; move it below a marker"
            raise SyncError(msg)
    if has_comment:
        msg = "a comment among the imports of processor.py would be lost; put it below a marker"
        raise SyncError(msg)
    return {name for node in tree.body if isinstance(node, ImportNode) for name in names_of(node)}


def _read_module(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"cannot read {printable(str(path))}: {reason}; put it back, or export the notebook again"
        raise SyncError(msg) from None


def _put(raw: Any, source: str) -> None:
    """Put a source into a cell's JSON, as a list of lines or one text, whichever it has."""
    *whole, last = source.split("\n")
    lines = [*(f"{line}\n" for line in whole), *([last] if last else [])]
    raw["source"] = lines if isinstance(raw.get("source"), list) else source
