"""Files: their SHA-256, and writing them whole or not at all."""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces. It is read again only after its size or time has changed."""
    found = path.stat()
    return _sha256(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1024)
def _sha256(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001  # they name a version of the file
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, and then rename it: a reader sees all of the old data or all of the new.

    A file that is there keeps its mode, and a link to it stays a link. Raises ``OSError``; the file is then unchanged.
    """
    path = path.resolve()
    new = path.with_name(f".byoc-kit-{secrets.token_hex(8)}")
    try:
        with new.open("xb") as file:
            if path.exists():
                new.chmod(path.stat().st_mode)
            file.write(data)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
