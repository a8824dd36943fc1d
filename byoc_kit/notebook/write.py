"""Changing a notebook's file, and nothing in it that was not meant."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from byoc_kit.notebook.read import NotebookError
from byoc_kit.notebook.text import printable

_INDENT = re.compile(rb"^\{\r?\n([ \t]+)\S")


def dump_notebook(document: Any, before: bytes) -> str:
    """Return a notebook's JSON in the form that its file had: indentation, order of the keys, escapes, line ends.

    Raises :class:`NotebookError` where it is nested too deeply to be written.
    """
    found = _INDENT.match(before)
    indent = found[1].decode() if found else (1 if b"\n" in before.strip() else None)
    try:
        text = json.dumps(document, indent=indent, ensure_ascii=before.isascii() and b"\\u" in before)
        if not _can_be_encoded(text):  # half a surrogate pair, which only an escape can say
            text = json.dumps(document, indent=indent)
    except RecursionError:
        raise NotebookError("the notebook is nested too deeply to be written; clear its outputs") from None
    text += "\n" if before.endswith(b"\n") else ""
    return text.replace("\n", "\r\n") if b"\r\n" in before else text


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_notebook(path: Path, data: bytes, *, before: bytes | None = None) -> None:
    """Write a notebook's file: whole, or not at all.

    Raises :class:`NotebookError`, also where the file is not ``before`` any more: somebody has saved it since it was
    read, as JupyterLab does by itself.
    """
    path = path.resolve()  # a link to a notebook stays a link
    try:
        if before is not None and path.read_bytes() != before:
            msg = f"{printable(str(path))} was saved by somebody else in the meantime, and is left so; try again"
            raise NotebookError(msg)
        mode = path.stat().st_mode
        handle, name = tempfile.mkstemp(prefix=".byoc-kit-", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            new.chmod(mode)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"cannot write {printable(str(path))}: {error.strerror}; the notebook is as it was"
        raise NotebookError(msg) from error
