"""What the hooks print while a preview plays: its last lines, for the page.

ipykernel sends what a thread prints to the message that the kernel had last, as a rule one of the page's own, which no
cell shows: measured, three lines of a `print` for each frame arrive. In the cell's output a line for each frame would
fill notebook and page besides.
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
        """Take a piece of text, which may end within a line."""
        with self._lock:
            *whole, begun = (self._begun + text).split("\n")
            self._lines.extend(map(_as_shown, whole))
            self._count += len(whole)
            self._begun = begun[-2 * _LONGEST :]

    def clear(self) -> None:
        """Forget all: the function is another."""
        with self._lock:
            self._lines.clear()
            self._begun, self._count = "", 0

    def status(self) -> dict[str, str] | None:
        """Return the lines as one text, and a sentence on how many there are; ``None`` where nothing was printed."""
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
    """Keep what is printed in the body, and on the threads that take over its context; ``None`` keeps nothing."""
    if printed is not None:
        _route(sys.stdout)
        _route(sys.stderr)
    token = _printed.set(printed)
    try:
        yield
    finally:
        _printed.reset(token)


class _Route:
    """Stands for a stream's ``write``: others write as ever."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write

    def __call__(self, text: str) -> Any:
        printed = _printed.get()
        if printed is None or not isinstance(text, str):
            return self._write(text)
        printed.write(text)
        return len(text)


def _route(stream: Any) -> None:
    """Have a stream ask who prints. Its ``write`` alone is replaced: who holds the stream, as a logger, asks too."""
    if stream is not None and not isinstance(stream.write, _Route):
        with suppress(AttributeError):  # of a stream that takes no attribute
            stream.write = _Route(stream.write)


def _as_shown(line: str) -> str:
    """Return a line as a terminal shows it, where a progress bar begins it anew; cut where it is long."""
    line = line.removesuffix("\r").rpartition("\r")[2]
    return line[:_LONGEST] + "…" if len(line) > _LONGEST else line
