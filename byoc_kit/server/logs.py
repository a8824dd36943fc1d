"""The log of a container: one record a line, and nothing in it that a client could have made up or hidden."""

from __future__ import annotations

import logging
import re

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
    """Writes out what is not printable, indents each line of a record but its first, and leaves out URLs' passwords.

    A record may hold what a client sent: a line break in it cannot begin a record of its own, and an escape does
    nothing to a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as it is written."""
        text = _USER_OF_URL.sub("", super().format(record))
        if text.isprintable():
            return text
        return "\n  ".join(_printable(line) for line in text.split("\n"))


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() or one == "\t" else _escaped(one) for one in line)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
