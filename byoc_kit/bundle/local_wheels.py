"""Builds wheels of distributions that no index has: local, editable and VCS installs, and bare sources."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import parse_wheel_filename

from byoc_kit.bundle.dependencies import Needed
from byoc_kit.bundle.pip import LockError, build_wheel, recall, remember

_KIND = "built"


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file name and its bytes."""

    name: str
    data: bytes

    @property
    def version(self) -> str:
        """The wheel's version, which may be newer than that of the editable install."""
        return str(parse_wheel_filename(self.name)[1])

    @property
    def sha256(self) -> str:
        """Its hash."""
        return hashlib.sha256(self.data).hexdigest()


def wheel_of(needed: Needed, wheels: Path) -> Wheel:
    """Build the wheel of a distribution, or take it from ``wheels`` if its source has not changed since.

    Raises ``LockError`` if its source is gone or cannot be built.
    """
    requirement, state = _source(needed)
    key = hashlib.sha256(f"{needed.pin}\n{requirement}\n{state}".encode()).hexdigest()
    known = _known(recall(_KIND).get(key), wheels)
    if known:
        return known
    if requirement.endswith(".whl") and Path(requirement).is_file():
        path = Path(requirement)
        return Wheel(path.name, path.read_bytes())
    with tempfile.TemporaryDirectory(prefix="byoc-kit-wheel-") as scratch:
        path = build_wheel(needed.name, requirement, Path(scratch))
        wheel = Wheel(path.name, path.read_bytes())
    remember(_KIND, {key: [wheel.name, wheel.sha256]})
    return wheel


def _source(needed: Needed) -> tuple[str, str]:
    """Return the source for pip, and a text that changes with it. Raises ``LockError`` if it is gone."""
    if needed.direct_url is None:
        return needed.pin, ""
    url, subdirectory = str(needed.direct_url["url"]), needed.direct_url.get("subdirectory")
    fragment = f"#subdirectory={subdirectory}" if subdirectory else ""
    vcs = needed.direct_url.get("vcs_info")
    if vcs:
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}{fragment}", ""
    if not url.startswith("file:"):
        return f"{url}{fragment}", ""
    path = Path(unquote(urlsplit(url).path), subdirectory or "")
    if not path.exists():
        msg = f"{needed.name} was installed from {path}, which is gone; install it again from where it is now"
        raise LockError(msg)
    return str(path), "\n".join(_state(path))


def _state(path: Path) -> Iterator[str]:
    """Yield a line for each file, with its size and time in place of its bytes, as make does."""
    if path.is_file():
        yield hashlib.sha256(path.read_bytes()).hexdigest()
        return
    for folder, inner, names in os.walk(path):
        here = Path(folder)
        inner[:] = sorted(name for name in inner if not _is_not_source(here / name))
        for name in sorted(names):
            try:
                found = (here / name).stat()
            except OSError:  # a broken link
                continue
            yield f"{(here / name).relative_to(path)} {found.st_size} {found.st_mtime_ns}"


def _is_not_source(folder: Path) -> bool:
    is_made = folder.name == "__pycache__" or folder.name.endswith(".egg-info")
    return folder.name.startswith(".") or is_made or (folder / "pyvenv.cfg").is_file()


def _known(entry: Any, wheels: Path) -> Wheel | None:
    match entry:
        case [str(name), str(sha256)] if (wheels / Path(name).name).is_file():
            wheel = Wheel(Path(name).name, (wheels / Path(name).name).read_bytes())
            return wheel if wheel.sha256 == sha256 else None
    return None
