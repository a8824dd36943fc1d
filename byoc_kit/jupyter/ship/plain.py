"""The overview as plain text."""

from __future__ import annotations

from byoc_kit.jupyter.ship.overview import Overview, Row
from byoc_kit.notebook.report import as_text
from byoc_kit.notebook.text import printable

_HEADS = ("", "cell", "defines", "begins with")


def as_plain(overview: Overview) -> str:
    """Return the cells and the findings; the findings as ``byoc-kit check`` says them."""
    head = f"{overview.title} goes to {printable(str(overview.target.bundle))}"
    if overview.capability:
        head += f" as {overview.capability}"
    lines = [_HEADS, *map(_cells, overview.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    table = "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return f"{head}\n\n{table}\n\n{as_text(overview.findings, overview.name)}"


def _cells(row: Row) -> tuple[str, ...]:
    return "goes" if row.goes else "stays", row.name, ", ".join(row.defines), row.first_line
