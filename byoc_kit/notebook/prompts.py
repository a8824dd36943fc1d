"""What IPython takes off a cell's lines before Python sees them: indentation that all have, and pasted prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Only such a cell needs IPython, whose import takes 0.3 s.
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.|(?:\[(?:nav|ins)\])?[ ]?In \[\d+\]:)")


def without_prompts(lines: Sequence[str]) -> list[str]:
    """Return the lines as IPython runs them: each is the end of what it was, and none is gone.

    Only complete lines come in; the body of a cell magic is cleaned by itself, as the magic runs it.
    """
    first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    if first == len(lines):
        return list(lines)
    cleaned = list(lines)
    if lines[first][0].isspace() or any(map(_PROMPT.match, lines)):
        cleaned[first:] = _cleaned(lines[first:])
    if cleaned[first].startswith("%%"):
        return [*cleaned[: first + 1], *without_prompts(cleaned[first + 1 :])]
    return cleaned


def _cleaned(lines: Sequence[str]) -> list[str]:
    from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt, leading_indent

    cell = [f"{line}\n" for line in lines]
    for transform in (leading_indent, classic_prompt, ipython_prompt):
        cell = transform(cell)
    cleaned = [line.removesuffix("\n") for line in cell]
    is_ends = len(cleaned) == len(lines) and all(map(str.endswith, lines, cleaned))
    return cleaned if is_ends else list(lines)  # a line with U+2028 in it, which IPython breaks there
