"""Restores a notebook's assets if the notebook writes them when it runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from byoc_kit.bundle.manifest import read_manifest
from byoc_kit.core.assets import bundle_file
from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.system.files import sha256_of


@contextmanager
def assets_put_back(bundle: Bundle, scratch: Path) -> Iterator[list[str]]:
    """Restore each asset beside the notebook that the body changes or removes; the list then has their names.

    A notebook may train its model and save the weights. Running it must not replace the exported ones.
    """
    changed: list[str] = []
    originals = dict(_originals(bundle, scratch))
    try:
        yield changed
    finally:
        for path, (original, sha256) in originals.items():
            if path.is_file() and sha256_of(path) == sha256:
                continue
            changed.append(path.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            shutil.copyfile(original, new)
            new.replace(path)


def _originals(bundle: Bundle, scratch: Path) -> Iterator[tuple[Path, tuple[Path, str]]]:
    """Yield each asset beside the notebook with another file of the same bytes, and their hash.

    The bundle has such a file for each asset that is unchanged since the export; only other assets are copied.
    """
    assets = read_manifest(bundle.folder).get("assets")
    for number, name in enumerate(assets if isinstance(assets, dict) else ()):
        path = bundle.notebook.parent / name
        if not path.is_file():
            continue
        sha256 = sha256_of(path)
        exported = bundle.folder / bundle_file(name, sha256)
        if not exported.is_file() or sha256_of(exported) != sha256:
            exported = scratch / f"asset-{number}"
            shutil.copyfile(path, exported)
        yield path, (exported, sha256)
