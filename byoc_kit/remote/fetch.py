"""Finds a remote asset for who needs it: the notebook, the export, and the container."""

from __future__ import annotations

import logging
from pathlib import Path

from byoc_kit.errors import AssetError
from byoc_kit.remote import hub, web
from byoc_kit.remote.locked import ASSETS, LockedAsset, LockedFile, read_lock
from byoc_kit.remote.names import HubName, RemoteName, WebName, parse_remote
from byoc_kit.remote.store import WEIGHTS, cache_folder, checked, has, only_one, read_record, write_record
from byoc_kit.remote.web import UnreachableError
from byoc_kit.system.files import sha256_of

MODELS = Path("/models")
"""Where an ai-worker mounts the models of its machine."""

logger = logging.getLogger(__name__)


def find_in_notebook(text: str) -> Path:
    """Return the path of a remote asset in the cache; what is not there is fetched once. Raises ``AssetError``."""
    name, cache = parse_remote(text), cache_folder()
    found = read_record(cache, name)
    if found is None:
        with only_one(cache, name):
            found = read_record(cache, name) or _fetch_newest(name, cache)
    return found.path_in(cache)


def resolve(text: str) -> LockedAsset:
    """Return what a remote asset is now, as its source says it, and fetch what the cache has not.

    Where the source cannot be reached, it is what the cache has. Raises ``AssetError``.
    """
    name, cache = parse_remote(text), cache_folder()
    with only_one(cache, name):
        known = read_record(cache, name)
        try:
            return _fetch_newest(name, cache, known)
        except UnreachableError as error:
            if known is None:
                raise
            logger.warning("%s; the bundle gets what the cache has", error)
            return known


def find_in_bundle(bundle: Path, text: str) -> Path:
    """Return the path of a bundle's remote asset, whose files are as the export locked them.

    It is looked for in the bundle, in ``/models`` and in the cache, and else fetched. Raises ``AssetError``.
    """
    locked = read_lock(bundle).get(text)
    name = parse_remote(text)
    if locked is None:
        raise AssetError(name.shown, f"is not in this bundle, according to its {ASSETS}", "export the notebook again")
    cache = cache_folder()
    for store in (bundle / WEIGHTS, MODELS, cache):
        if has(store, locked):
            return checked(store, locked, name)
    with only_one(cache, name):
        if not has(cache, locked):  # another process may have fetched it meanwhile
            _fetch_locked(name, locked, cache)
    return checked(cache, locked, name)


def _fetch_newest(name: RemoteName, cache: Path, known: LockedAsset | None = None) -> LockedAsset:
    found = _newest_of_web(name, cache, known) if isinstance(name, WebName) else _newest_of_hub(name, cache, known)
    if known is not None and found.files != known.files:
        logger.warning("%s has changed at its source: the cache has the new one", name.shown)
    write_record(cache, name, found)
    return found


def _newest_of_web(name: WebName, cache: Path, known: LockedAsset | None) -> LockedAsset:
    target = cache / name.folder / name.file
    had = web.Fetched(known.files[name.file], known.tag) if known else None
    fetched = web.fetch(name, target, known=had)
    return LockedAsset(name.folder, {name.file: fetched.file}, file=name.file, tag=fetched.tag)


def _newest_of_hub(name: HubName, cache: Path, known: LockedAsset | None) -> LockedAsset:
    commit, files = hub.resolve(name)
    if known is not None and known.revision == commit:
        return known
    hub.fetch_files(name, commit, files, cache)
    folder = name.folder(commit)
    paths = {file: cache / folder / file for file in files}
    locked = {file: LockedFile(path.stat().st_size, sha256_of(path)) for file, path in paths.items()}
    return LockedAsset(folder, locked, file=name.file, revision=commit)


def _fetch_locked(name: RemoteName, locked: LockedAsset, cache: Path) -> None:
    if isinstance(name, HubName):
        hub.fetch_files(name, locked.revision or "", locked.files, cache)
        return
    for file, one in locked.files.items():
        web.fetch(name, cache / locked.folder / file, locked=one)
