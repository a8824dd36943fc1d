"""``assets.json``: the size and the SHA-256 of each file of a bundle's remote assets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.remote.names import is_safe

ASSETS = "assets.json"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LockedFile:
    """The size in bytes and the SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class LockedAsset:
    """What a remote asset was when it was resolved.

    ``folder`` is its place in a store, a folder that keeps remote files. ``files`` are the asset's files in it.
    ``file`` is the one that a name stands for; ``None`` if it stands for the folder. ``revision`` is the hub's commit.
    ``tag`` is the ETag of a URL's file, or its date; only the cache keeps it.
    """

    folder: str
    files: Mapping[str, LockedFile]
    file: str | None = None
    revision: str | None = None
    tag: str | None = None

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files.values())

    def path_in(self, store: Path) -> Path:
        """Return the path of the asset in a store, whether it is there or not."""
        return store / self.folder / self.file if self.file else store / self.folder

    def as_json(self, *, with_tag: bool = False) -> dict[str, Any]:
        """Return what ``read`` reads."""
        files = {name: {"size": file.size, "sha256": file.sha256} for name, file in sorted(self.files.items())}
        said: dict[str, Any] = {"folder": self.folder, "file": self.file, "revision": self.revision, "files": files}
        return {**said, "tag": self.tag} if with_tag else said

    @classmethod
    def read(cls, said: Any) -> LockedAsset:
        """Read the JSON form. Raises ``ValueError`` if it is damaged, or a path leads out of the store."""
        try:
            files = {name: LockedFile(int(one["size"]), one["sha256"]) for name, one in said["files"].items()}
            found = cls(said["folder"], files, said["file"], said["revision"], said.get("tag"))
            is_sound = all(is_safe(path) for path in (found.folder, *files)) and all(
                _SHA256.fullmatch(file.sha256) for file in files.values()
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from error
        if not (is_sound and files and (found.file is None or found.file in files)):
            msg = "it names files that cannot be"
            raise ValueError(msg)
        return found


def render_lock(assets: Mapping[str, LockedAsset]) -> str:
    """Render ``assets.json``, by the names that the notebook has."""
    return json.dumps({name: one.as_json() for name, one in sorted(assets.items())}, indent=2) + "\n"


def read_lock(bundle: Path) -> dict[str, LockedAsset]:
    """Read a bundle's ``assets.json``; empty if there is none. Raises ``ByocKitError`` if it is damaged."""
    try:
        said = json.loads((bundle / ASSETS).read_bytes())
        return {name: LockedAsset.read(one) for name, one in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        msg = f"{bundle / ASSETS} cannot be read or is damaged; export the notebook again"
        raise ByocKitError(msg) from error
