"""The assets of a bundle: copied by their content's name, and only where they are not there already."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from byoc_kit.assets import FOLDER, sha256_of
from byoc_kit.bundle.load import BundleError

_PIECE = 1 << 20
_OURS = re.compile(r"[0-9a-f]{64}(?:\.[A-Za-z0-9]{1,16})?")


def put_assets(assets: Mapping[str, Path], bundle: Path) -> None:
    """Make the bundle's assets those of ``assets``, the file of each by its place in the bundle.

    Copied and not linked: a file that is written anew beside the notebook must not change under the bundle.
    Raises :class:`BundleError` where a file has changed since it was planned.
    """
    folder = bundle / FOLDER
    if folder.is_symlink():
        folder.unlink()
    if folder.is_dir():
        for old in list(folder.iterdir()):
            if _OURS.fullmatch(old.name) and f"{FOLDER}/{old.name}" not in assets:
                old.unlink()
    for name, source in sorted(assets.items()):
        path = bundle / name
        sha256 = path.name.partition(".")[0]
        path.parent.mkdir(exist_ok=True)
        if path.is_symlink() or not path.is_file() or sha256_of(path) != sha256:
            path.unlink(missing_ok=True)
            _copy(source, path, sha256)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _copy(source: Path, path: Path, sha256: str) -> None:
    copied = hashlib.sha256()
    with source.open("rb") as read, path.open("xb") as written:
        while piece := read.read(_PIECE):  # a model's weights may be larger than the memory
            copied.update(piece)
            written.write(piece)
    if copied.hexdigest() != sha256:
        msg = f"{source} changed while it was exported; export again when nothing writes it"
        raise BundleError(msg)
