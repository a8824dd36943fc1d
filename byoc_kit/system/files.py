"""Files written whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside itself, and put it in its place: whoever reads it sees all of it, before or after.

    A file that is there keeps its mode, and a link to it stays a link. Raises ``OSError``; the file is then as it was.
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
