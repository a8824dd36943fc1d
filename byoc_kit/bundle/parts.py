"""An exported module taken apart again: the exporter's own, the imports, and each cell's part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from byoc_kit.bundle.load import BundleError
from byoc_kit.notebook.module import MARKER

_END_OF_DOCSTRING = '"""'


@dataclass(frozen=True)
class Parts:
    """``own`` is the docstring and the class at the end; ``sections`` has each cell's text by its marker."""

    own: str
    imports: str
    sections: dict[str, str]


def split_module(source: str, markers: Sequence[str]) -> Parts:
    """Take a module apart at its markers.

    Raises :class:`BundleError` where one is gone, there twice, or they change places.
    """
    lines = source.split("\n")
    counts = Counter(lines)
    begin = _find(lines, _END_OF_DOCSTRING, 1) + 1
    starts, at = [], begin
    for marker in markers:
        at = _find(lines, marker, at) + 1
        if counts[marker] > 1:
            msg = (
                f"the line `{marker}` is in processor.py twice; take it out of the cell, and export the notebook again"
            )
            raise BundleError(msg)
        starts.append(at)
    after_last = len(lines) - 1 - _find(lines[: at - 1 : -1], MARKER, 0)  # cells may have such a line, too
    starts.append(after_last + 1)
    ends = [start - 1 for start in starts[1:]]
    sections = {m: _trimmed(lines[s:e]) for m, s, e in zip(markers, starts, ends, strict=False)}
    own = "\n".join([*lines[:begin], *lines[starts[-1] - 1 :]])
    return Parts(own, _trimmed(lines[begin : starts[0] - 1]), sections)


def _find(lines: Sequence[str], wanted: str, begin: int) -> int:
    try:
        return lines.index(wanted, begin)
    except ValueError:
        msg = f"the line `{wanted}` is gone from processor.py; put it back, or export the notebook again"
        raise BundleError(msg) from None


def _trimmed(lines: Sequence[str]) -> str:
    """Join lines, without empty ones at either end."""
    kept = list(lines)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)
