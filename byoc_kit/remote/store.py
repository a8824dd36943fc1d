"""Stores: folders that keep the files of remote assets, such as the cache. One is laid out as another.

Files of the hub lie where ``huggingface_hub`` keeps them in its own cache. So the ``/models`` that the ai-worker mounts
is a store.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from byoc_kit.errors import AssetError
from byoc_kit.remote.locked import LockedAsset
from byoc_kit.remote.names import RemoteName, key_of
from byoc_kit.remote.progress import say
from byoc_kit.system.files import sha256_of, write_whole

CACHE = "BYOC_KIT_CACHE"
"""The variable that names the cache's folder."""
WEIGHTS = "weights"
"""The store in a bundle."""


def cache_folder() -> Path:
    """Return the folder of the cache: what ``BYOC_KIT_CACHE`` says, else ``byoc-kit`` in the user's cache folder."""
    if said := os.environ.get(CACHE):
        return Path(said).expanduser().absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches and Path(caches).is_absolute() else Path.home() / ".cache") / "byoc-kit"


def has(store: Path, asset: LockedAsset) -> bool:
    """Whether a store has each file of an asset; what is in them is not looked at."""
    try:
        return all((store / asset.folder / name).is_file() for name in asset.files)
    except OSError:
        return False


def checked(store: Path, asset: LockedAsset, name: RemoteName) -> Path:
    """Return the path of an asset in a store that has it. Raises ``AssetError`` if a file is not the locked one."""
    for file, locked in asset.files.items():
        path = store / asset.folder / file
        try:
            is_locked_one = path.stat().st_size == locked.size and sha256_of(path) == locked.sha256
        except OSError as error:
            hint = "make it readable, or remove it"
            raise AssetError(name.shown, f"cannot be read: {path}: {error.strerror}", hint) from None
        if not is_locked_one:
            reason = f"is not the file that was exported: {path} has another SHA-256"
            raise AssetError(name.shown, reason, "remove that file, or export the notebook again")
    return asset.path_in(store)


def read_record(cache: Path, name: RemoteName) -> LockedAsset | None:
    """Return what the cache has of an asset; ``None`` if that is nothing, or not all of it."""
    try:
        found = LockedAsset.read(json.loads(_record(cache, name).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None
    is_whole = has(cache, found) and all(
        (cache / found.folder / file).stat().st_size == one.size for file, one in found.files.items()
    )
    return found if is_whole else None


def write_record(cache: Path, name: RemoteName, asset: LockedAsset) -> None:
    """Keep what the cache has of an asset."""
    path = _record(cache, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(asset.as_json(with_tag=True), indent=2) + "\n").encode())


@contextmanager
def only_one(cache: Path, name: RemoteName) -> Iterator[None]:
    """Wait until no other process fetches the asset into the cache. Raises ``AssetError`` if it is not writable."""
    path = cache / "locks" / key_of(name.text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise unwritable(name, cache, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process, which fetches {name.shown}")
            fcntl.flock(file, fcntl.LOCK_EX)  # closing the file lets go, and so does the end of the process
        yield


def unwritable(name: RemoteName, path: Path, error: OSError) -> AssetError:
    """Return the error of an asset that cannot be kept."""
    hint = f"make room there, or let {CACHE} name another folder"
    return AssetError(name.shown, f"cannot be kept in {path}: {error.strerror or error}", hint)


def _record(cache: Path, name: RemoteName) -> Path:
    return cache / "records" / f"{key_of(name.text)}.json"
