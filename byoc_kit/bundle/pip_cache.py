"""What pip said before, so that an export asks it once: a small JSON file in the user's cache folder."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SCHEMA = 1


def platform_tag() -> str:
    """Return what the wheels of a lock are for, such as ``linux x86_64, CPython 3.11``."""
    system, _, machine = sysconfig.get_platform().partition("-")
    implementation = {"cpython": "CPython"}.get(sys.implementation.name, sys.implementation.name)
    return f"{system} {machine}, {implementation} {sys.version_info.major}.{sys.version_info.minor}"


def cache_path() -> Path:
    """Return the file; it may be deleted at any time."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(folder) if Path(folder).is_absolute() else Path.home() / ".cache"
    return root / "byoc-kit" / "hashes.json"


def recall(kind: str) -> dict[str, Any]:
    """Return what is kept of a kind for this platform; a file that is damaged holds nothing."""
    found = _read().get(kind)
    known = found.get(platform_tag()) if isinstance(found, dict) else None
    return known if isinstance(known, dict) else {}


def remember(kind: str, new: Mapping[str, Any]) -> None:
    """Keep more of a kind; the file is replaced as a whole. One that cannot be written is no error."""
    if not new:
        return
    content = _read()
    kinds = content.get(kind)
    platforms = kinds if isinstance(kinds, dict) else {}
    content[kind] = {**platforms, platform_tag(): {**recall(kind), **new}}
    path = cache_path()
    _unless_denied(lambda: path.parent.mkdir(parents=True, exist_ok=True))
    _unless_denied(lambda: _replace(path, json.dumps({**content, "schema": _SCHEMA}, indent=1, sort_keys=True)))


def _read() -> dict[str, Any]:
    try:
        content = json.loads(cache_path().read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and content.get("schema") == _SCHEMA else {}


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".hashes-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unless_denied(act: Callable[[], object]) -> None:
    try:
        act()
    except OSError:  # a cache that cannot be kept costs the next export some seconds
        return
