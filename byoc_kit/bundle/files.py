"""Copies of files that may be larger than the memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from byoc_kit.core.bundle_reader import BundleError

_PIECE = 1 << 20


def copy_checked(source: Path, path: Path, sha256: str) -> None:
    """Copy a file. Raises ``BundleError`` if it is not what it was when it was planned."""
    copied = hashlib.sha256()
    with source.open("rb") as read, path.open("xb") as written:
        while piece := read.read(_PIECE):  # in pieces: a model's weights may be larger than the memory
            copied.update(piece)
            written.write(piece)
    if copied.hexdigest() != sha256:
        msg = f"{source} changed while it was exported; export again when nothing writes it"
        raise BundleError(msg)
