"""Keeps the end of a log in bounded memory."""

from __future__ import annotations

import codecs
import re
from collections import deque

from byoc_kit.system.text import printable

LINES = 12

_WIDEST = 300
_LONGEST_UNFINISHED = 4096
# ECMA-48: CSI sequences such as colours, OSC strings such as titles and links, and two-byte escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_ERROR = "byoc-kit: "


class Tail:
    """Takes a process's output as it comes, and keeps its last lines, without colours and other escapes."""

    def __init__(self, lines: int = LINES) -> None:
        self.error = ""
        self._lines: deque[str] = deque(maxlen=lines)
        self._unfinished = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> None:
        """Take the next bytes of output, in pieces of any size."""
        *finished, self._unfinished = (self._unfinished + self._decoder.decode(data)).split("\n")
        self._unfinished = self._unfinished[-_LONGEST_UNFINISHED:]
        for line in reversed(finished):
            if line.startswith(_ERROR):
                self.error = _clean(line.removeprefix(_ERROR))
                break
        self._lines.extend(map(_clean, finished[-(self._lines.maxlen or 0) :]))

    @property
    def lines(self) -> list[str]:
        """The last lines, also an unfinished one."""
        unfinished = _clean(self._unfinished)
        return [*self._lines, *([unfinished] if unfinished else [])][-(self._lines.maxlen or 0) :]

    @property
    def last(self) -> str:
        """The command's text about its failure: its own last error, or else its last line that is not of a report."""
        said = [line.strip() for line in self.lines if line.strip() and not line.startswith("report: ")]
        if self.error and not self.error.endswith(":"):
            return self.error
        return " ".join([self.error, *said[-1:]]).strip()  # such a line introduces another program's output


def _clean(line: str) -> str:
    """Return a line as a terminal shows it: after a carriage return it begins again, as in progress bars."""
    seen = _ESCAPES.sub("", line[-_LONGEST_UNFINISHED:]).rstrip("\r").rpartition("\r")[2]
    return printable(seen if len(seen) <= _WIDEST else f"{seen[:_WIDEST]} ...").rstrip()
