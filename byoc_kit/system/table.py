"""Aligns the columns of tables for a terminal."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], *, right: Container[int] = (), widest: int | None = None) -> list[str]:
    """Return rows of texts as lines with aligned columns, two spaces apart.

    The columns in ``right`` are aligned to the right. A row may have fewer texts than others. The last text of a row
    widens no column, and a text longer than ``widest`` does not either: it shifts the rest of its own row only.
    """
    rows, widths = list(rows), dict[int, int]()
    for row in rows:
        for column, text in enumerate(row):
            is_padded = column < len(row) - 1 or column in right
            if is_padded and (widest is None or len(text) <= widest):
                widths[column] = max(widths.get(column, 0), len(text))

    def padded(column: int, text: str) -> str:
        width = widths.get(column, 0)
        return text.rjust(width) if column in right else text.ljust(width)

    return ["  ".join(padded(column, text) for column, text in enumerate(row)).rstrip() for row in rows]
