"""The container's log. Clients cannot forge a record in it, or hide one."""

from __future__ import annotations

import logging
import re

_LONGEST = 20_000  # characters of a record; the text of an exception, which ends a traceback, may have megabytes
_USER_OF_URL = re.compile(r"(?<=://)[^\s/]*@")


def set_up_logging() -> None:
    """Log what the operator of a container wants to see."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # pytrickle logs an error on a machine without a GPU.
    logging.getLogger("pytrickle.utils.hardware").setLevel(logging.CRITICAL)


class PlainFormatter(logging.Formatter):
    """Escapes what is not printable, indents the further lines of a record, cuts long records, removes URLs' passwords.

    A record may contain what a client sent. A line break in it cannot start another record, and an escape sequence
    cannot reach a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
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
