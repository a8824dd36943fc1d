"""The log of a container: one record a line, and nothing in it that a client could have made up or hidden."""

from __future__ import annotations

import logging
import re

_LONGEST = 20_000  # characters of a record: a traceback ends with what its exception says, which may be megabytes
_USER_OF_URL = re.compile(r"(?<=://)[^\s/]*@")


def set_up_logging() -> None:
    """Log what a person who runs a container wants to see."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # It calls a machine without a GPU an error.
    logging.getLogger("pytrickle.utils.hardware").setLevel(logging.CRITICAL)


class PlainFormatter(logging.Formatter):
    """Writes out what is not printable, indents a record's further lines, cuts long ones, leaves out URLs' passwords.

    A record may hold what a client sent: a line break in it cannot begin a record of its own, and an escape does
    nothing to a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as it is written."""
        text = super().format(record)
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}... ({len(text)} characters)"
        text = _USER_OF_URL.sub("", text)
        if text.isprintable():
            return text
        return "\n  ".join(_printable(line) for line in text.split("\n"))


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() or one == "\t" else _escaped(one) for one in line)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
