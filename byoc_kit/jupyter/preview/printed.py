"""Keeps the last lines that hooks print while a preview plays, for the page to show.

ipykernel adds what a thread prints to the output of the kernel's latest message. That is mostly a message of the
preview's page, which no cell shows: of a `print` in each frame, three lines arrived. In the cell's output, a line for
each frame would fill the notebook.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_LINES = 50
_LONGEST = 300

_printed: ContextVar[Printed | None] = ContextVar("byoc_kit_printed", default=None)


class Printed:
    """Keeps the last 50 lines, each cut at 300 characters. Thread-safe."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._begun = ""
        self._count = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Take a piece of text, which may end in the middle of a line."""
        with self._lock:
            *whole, begun = (self._begun + text).split("\n")
            self._lines.extend(map(_as_shown, whole))
            self._count += len(whole)
            self._begun = begun[-2 * _LONGEST :]

    def clear(self) -> None:
        """Forget all lines: the function has changed."""
        with self._lock:
            self._lines.clear()
            self._begun, self._count = "", 0

    def status(self) -> dict[str, str] | None:
        """Return the lines as one text and a heading with their number; ``None`` if nothing was printed."""
        with self._lock:
            lines = [*self._lines, *([_as_shown(self._begun)] if self._begun else [])]
            count = self._count + bool(self._begun)
        if not lines:
            return None
        lines = lines[-_LINES:]
        said = f"Printed: {count} line{'s' * (count > 1)}"
        return {"head": f"{said}, the last {_LINES} of them" if count > len(lines) else said, "text": "\n".join(lines)}


@contextmanager
def printing_to(printed: Printed | None) -> Iterator[None]:
    """Keep what the body prints, on threads that take over its context too. With ``None``, nothing is kept."""
    if printed is not None:
        _route(sys.stdout)
        _route(sys.stderr)
    token = _printed.set(printed)
    try:
        yield
    finally:
        _printed.reset(token)


class _Route:
    """Replaces a stream's ``write``. Threads that do not print to a ``Printed`` write as before."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write

    def __call__(self, text: str) -> Any:
        printed = _printed.get()
        if printed is None or not isinstance(text, str):
            return self._write(text)
        printed.write(text)
        return len(text)


def _route(stream: Any) -> None:
    """Replace a stream's ``write``, not the stream, so that a logger that holds the stream uses it too."""
    if stream is not None and not isinstance(stream.write, _Route):
        with suppress(AttributeError):  # some streams do not allow it
            stream.write = _Route(stream.write)


def _as_shown(line: str) -> str:
    """Return a line as a terminal shows it: a progress bar overwrites its line. A long line is cut."""
    line = line.removesuffix("\r").rpartition("\r")[2]
    return line[:_LONGEST] + "…" if len(line) > _LONGEST else line
