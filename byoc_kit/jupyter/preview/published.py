"""What the notebook publishes beside its pictures: here nobody reads the data channel, so the last line is shown."""

from __future__ import annotations

from byoc_kit.jupyter.preview.stats import Meter

_LONGEST = 300


class Published:
    """Takes lines of the data channel, as :func:`byoc_kit.publish` makes them."""

    def __init__(self) -> None:
        self._lines = Meter()
        self._last = b""

    def take(self, line: bytes) -> None:
        """Take a line; on whatever thread publishes it."""
        self._last = line
        self._lines.tick()

    def clear(self) -> None:
        """Forget the last line: the function is another."""
        self._last = b""
        self._lines.restart()

    def status(self) -> dict[str, str] | None:
        """Return the last line, cut where it is long, and how many came a second; ``None`` before the first."""
        if not self._last:
            return None
        line = self._last.decode().strip()
        is_long = len(line) > _LONGEST
        return {"line": line[:_LONGEST] + "…" if is_long else line, "rate": f"{self._lines.rate():.1f} lines/s"}
