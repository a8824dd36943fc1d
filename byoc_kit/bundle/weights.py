"""The remote assets of a bundle: locked by ``assets.json``, and copied into ``weights/`` where they are baked."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from byoc_kit.bundle.files import copy_checked
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.declarations import remote_assets
from byoc_kit.remote.fetch import resolve
from byoc_kit.remote.locked import LockedAsset, LockedFile, render_lock
from byoc_kit.remote.names import HubName, parse_remote
from byoc_kit.remote.store import WEIGHTS, cache_folder
from byoc_kit.system.files import sha256_of

BAKED_BELOW = 200_000_000
"""So many bytes of weights are baked into the image where nobody says otherwise."""


@dataclass(frozen=True)
class Weights:
    """What an export has of remote assets, by name. ``is_baked`` where the bundle gets a copy of their files."""

    assets: Mapping[str, LockedAsset] = field(default_factory=dict)
    is_baked: bool = False

    @property
    def lock(self) -> str:
        """The text of ``assets.json``."""
        return render_lock(self.assets)

    @property
    def needs_hub(self) -> bool:
        """Whether the container may have to fetch something of the hub."""
        return not self.is_baked and any(isinstance(parse_remote(name), HubName) for name in self.assets)

    @property
    def copied(self) -> dict[str, LockedFile]:
        """The files to copy, by their place in a store."""
        if not self.is_baked:
            return {}
        return {f"{one.folder}/{name}": file for one in self.assets.values() for name, file in one.files.items()}


def resolve_weights(analysis: Analysis, *, bake: bool | None = None) -> Weights:
    """Resolve a notebook's remote assets; what the cache has not is fetched.

    ``bake`` is whether the image gets them; by default if they are smaller than ``BAKED_BELOW``. Raises ``AssetError``.
    """
    assets = {name: resolve(name) for name in remote_assets(analysis)}
    size = sum(one.size for one in assets.values())
    return Weights(assets, is_baked=bool(assets) and (size < BAKED_BELOW if bake is None else bake))


def put_weights(weights: Mapping[str, LockedFile], bundle: Path) -> None:
    """Replace the bundle's weights by these, copied from the cache.

    Raises ``BundleError`` if a file has changed since it was resolved.
    """
    folder, cache = bundle / WEIGHTS, cache_folder()
    if folder.is_symlink():
        folder.unlink()
    for path in [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]:
        locked = weights.get(path.relative_to(folder).as_posix())
        if locked is None or path.is_symlink() or sha256_of(path) != locked.sha256:
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):  # the deepest first
        if not any(path.iterdir()):
            path.rmdir()
    for name, file in weights.items():
        path = folder / name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            copy_checked(cache / name, path, file.sha256)
    if not weights and folder.is_dir():
        shutil.rmtree(folder)
