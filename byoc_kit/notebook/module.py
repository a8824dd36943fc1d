"""The exported module: the tagged cells as one file, and a pytrickle ``FrameProcessor`` that calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from byoc_kit.core.source_map import CellSpan
from byoc_kit.errors import one_line
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.imports import merge_imports
from byoc_kit.notebook.names import OPTIONAL_HOOKS, PROCESSOR, bindings
from byoc_kit.notebook.notebook_file import Cell

MARKER = "# %%"
_LINE_LENGTH = 88


@dataclass(frozen=True)
class Section:
    """A cell's part of the module: it begins at ``first_line``, and has the cell's lines with the numbers ``kept``."""

    cell: Cell
    first_line: int
    kept: tuple[int, ...]


@dataclass(frozen=True)
class Module:
    """The text of ``processor.py``, its ``imports`` (first line and number of lines), its cells, and its lines' origin.

    ``origins`` maps a line of the module to its cell and the line there.
    """

    source: str
    imports: tuple[int, int]
    sections: tuple[Section, ...]
    origins: Mapping[int, tuple[Cell, int]]

    @property
    def spans(self) -> list[CellSpan]:
        """The lines that come from the notebook, as runs that are consecutive in both."""
        runs: list[CellSpan] = []
        for line, (cell, cell_line) in sorted(self.origins.items(), key=lambda item: item[0]):
            last = runs[-1] if runs else None
            if (
                last
                and (line, cell_line) == (last.first_line + last.lines, last.cell_line + last.lines)
                and cell.number == last.cell
            ):
                runs[-1] = replace(last, lines=last.lines + 1)
            else:
                runs.append(CellSpan(cell.number, line, 1, cell_line))
        return runs

    def locate(self, line: int) -> tuple[Cell, int]:
        """Return the cell of a line and the line in it. A line of the exporter's own counts as the one above it."""
        above = [known for known in self.origins if known <= line]
        return self.origins[max(above) if above else min(self.origins)]


@part
def render_module(analysis: Analysis) -> Module:
    """Render ``processor.py``, whatever a check would find. Raises ``SyntaxError`` where a cell is not valid Python."""
    title, name = _in_docstring(analysis.notebook.title), _in_docstring(one_line(analysis.name))
    merged = merge_imports(analysis)
    lines = [
        f'"""{title}{"" if title.endswith((".", "!", "?")) else "."}',
        "",
        f"Exported from {name} by byoc-kit; `byoc-kit sync` takes edits back to it.",
        '"""',
        "",
    ]
    first_import = len(lines) + 1
    origins = {first_import + at: origin for at, origin in enumerate(merged.origins) if origin}
    lines += merged.lines
    sections: list[Section] = []
    for cell in analysis.cells:
        kept = merged.kept[cell]
        if not kept:
            continue
        lines += [*_gap(lines, is_first=not sections), marker(cell)]
        sections.append(Section(cell, len(lines) + 1, tuple(kept)))
        origins |= {len(lines) + at: (cell, number) for at, number in enumerate(kept, 1)}
        lines += [cell.lines[number - 1] for number in kept]
    lines += [*_gap(lines, is_first=False), MARKER, *_processor(analysis, title)]
    return Module("\n".join(lines) + "\n", (first_import, len(merged.lines)), tuple(sections), origins)


def _gap(lines: Sequence[str], *, is_first: bool) -> list[str]:
    """Return the empty lines above a marker: two, below the imports one."""
    return [] if not lines[-1] else [""] * (1 if is_first else 2)


def marker(cell: Cell) -> str:
    """Return the comment above a cell, which editors know as the beginning of one."""
    return f"{MARKER} {cell.label}"


def _processor(analysis: Analysis, title: str) -> list[str]:
    names = {binding.name for binding in bindings(analysis)}
    arguments = ["process_frame", *(f"{hook}={hook}" for hook in OPTIONAL_HOOKS if hook in names)]
    hooks = [f"    hooks = byoc_kit.Hooks.of({', '.join(arguments)})"]
    if len(hooks[0]) > _LINE_LENGTH:
        hooks = ["    hooks = byoc_kit.Hooks.of(", *(f"        {argument}," for argument in arguments), "    )"]
    return [
        f"class {PROCESSOR}(byoc_kit.FrameProcessor):",
        f'    """{title}, as a pytrickle FrameProcessor."""',
        "",
        *hooks,
    ]


def _in_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
