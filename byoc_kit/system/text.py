"""Makes a notebook's text fit for a title, a terminal, or a comment."""

from __future__ import annotations

_TAB = "    "


def one_line(text: str) -> str:
    """Return a text as one line of printable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def printable(text: str) -> str:
    """Return a text with unprintable characters written out: a terminal would obey escapes, and lines would break."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.replace("\t", _TAB))
