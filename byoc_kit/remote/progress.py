"""How far a download is: a bar in a notebook or terminal, lines in a log, and a sentence for ``/health``."""

from __future__ import annotations

import logging
import sys
from typing import Any, Self

logger = logging.getLogger(__name__)

_MB = 1_000_000
_STEP_PERCENT = 10

_running: list[Progress] = []


def progress_text() -> str | None:
    """Say what is fetched at the moment and how far it is; ``None`` if nothing is."""
    running = list(_running)  # another thread may end one
    return running[-1].text if running else None


class Progress:
    """The download of one file. ``total`` is ``None`` where its size is not known. It runs until it is closed."""

    def __init__(self, name: str, total: int | None, *, start: int = 0) -> None:
        self.name = name
        self.total = total
        self.done = start
        self._said_percent = 0
        self._bar = _bar(name, total, start)
        _running.append(self)

    @property
    def text(self) -> str:
        """A sentence about it."""
        if not self.total:
            return f"fetching {self.name}: {self.done / _MB:.0f} MB"
        percent = min(100, 100 * self.done // self.total)
        return f"fetching {self.name}: {percent} % of {self.total / _MB:.0f} MB"

    def advance(self, count: int) -> None:
        """Count bytes that came."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self.total and (percent := 100 * self.done // self.total) >= self._said_percent + _STEP_PERCENT:
            self._said_percent = percent
            say(self.text)

    def close(self) -> None:
        """End it; more than once does no harm."""
        if self in _running:
            _running.remove(self)
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_watched() -> bool:
    return "IPython" in sys.modules or sys.stderr.isatty()


def say(text: str) -> None:
    """Say it where somebody reads it: below the cell, or in the log."""
    if _is_watched():
        sys.stderr.write(f"{text}\n")
    else:
        logger.info("%s", text)


def _bar(name: str, total: int | None, start: int) -> Any:
    """Return a bar of tqdm where somebody looks and it is installed; else ``None``."""
    if not _is_watched():
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True)
