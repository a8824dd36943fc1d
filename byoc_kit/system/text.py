"""Text of a notebook, made fit for a title, a terminal, a comment."""

from __future__ import annotations

_TAB = "    "


def one_line(text: str) -> str:
    """Return a text as one line of printable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def printable(text: str) -> str:
    """Return a text with what is not printable written out: a terminal obeys escapes, and lines would break."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.replace("\t", _TAB))
