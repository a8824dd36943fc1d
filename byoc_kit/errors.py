"""The errors that byoc-kit raises on purpose, and how they show text from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from difflib import get_close_matches
from traceback import walk_tb

LONGEST_TEXT = 500
"""The most characters that are shown, logged or sent of a text from elsewhere. Some exceptions have megabytes of it."""

_TAB = "    "
_LONGEST_NAME = 100  # comparing two names takes as long as the product of their lengths
_SHOWN = 60


class ByocKitError(Exception):
    """An error that a person can fix. Its text is one sentence: what is wrong, where, and what to do next.

    Every error that byoc-kit raises on purpose is one. Anything else is a fault of byoc-kit.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.check("nowhere.ipynb")
    Traceback (most recent call last):
    byoc_kit.notebook.notebook_file.NotebookError: there is no notebook nowhere.ipynb; give the path of an .ipynb file
    """

    def _render_traceback_(self) -> list[str]:
        """Show the notebook's own lines and the text. Lines of byoc-kit help nobody."""
        steps = [(cell_name(frame.f_code.co_filename), line) for frame, line in walk_tb(self.__traceback__)]
        places = [f"{cell}, line {line}" for cell, line in steps if cell is not None]
        return [*places, f"{type(self).__name__}: {self}", *getattr(self, "__notes__", ())]


class AssetError(ByocKitError):
    """An asset cannot be used: ``reason`` says why, and ``hint`` what to do."""

    def __init__(self, name: str, reason: str, hint: str, *, is_missing: bool = False) -> None:
        self.name = name
        self.reason = reason
        self.hint = hint
        self.is_missing = is_missing
        super().__init__(f"asset {shown(name)} {reason}; {hint}")


def cut(text: str) -> str:
    """Return a text, cut where it is longer than ``LONGEST_TEXT``."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"


def one_line(text: str) -> str:
    """Return a text as one line of printable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def printable(text: str) -> str:
    """Return a text with unprintable characters written out: a terminal would obey escapes, and lines would break."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.replace("\t", _TAB))


def shown(name: str) -> str:
    """Return a name for a message: on one line, and not too long."""
    text = name if name.isprintable() and name else repr(name)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def text_of(error: BaseException) -> str:
    """Return an exception's text, cut if it is too long. If ``str`` fails for it, say that instead.

    Where an attribute is missing whose name is like another one's, the text suggests that one, as Python itself does
    only when it prints the exception.
    """
    try:
        text = cut(str(error))
        return text + ("" if "did you mean" in text else _meant(error))
    except Exception as worse:  # noqa: BLE001  # somebody's own exception class
        return f"(its text raises {type(worse).__name__})"


def _meant(error: BaseException) -> str:
    if not isinstance(error, AttributeError) or not isinstance(error.name, str):
        return ""
    is_private = error.name.startswith("_")
    return did_you_mean(error.name, [name for name in dir(error.obj) if is_private or not name.startswith("_")])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the known name most like a wrong one; empty if none is like it."""
    near = get_close_matches(name, known, 1) if len(name) <= _LONGEST_NAME else []
    return f"; did you mean {near[0]}?" if near else ""


def name_of(error: BaseException) -> str:
    """Return an exception's name, with its module if the name alone says nothing: ``cv2.error``."""
    kind = type(error)
    return cut(kind.__name__ if kind.__name__[:1].isupper() else f"{kind.__module__}.{kind.__name__}")


def in_one_line(error: BaseException) -> str:
    """Return an exception's name and text."""
    return " ".join(f"{name_of(error)}: {text_of(error)}".split()).removesuffix(":")


def cell_name(file: str) -> str | None:
    """Return what IPython calls the cell that it ran as ``file``; ``None`` for a real file, or outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    name = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(file)
    return " ".join(name) if name else None
