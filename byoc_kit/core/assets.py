"""Files that a model needs, such as weights. A bundle has a copy of each, which is checked before it is used."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from byoc_kit.errors import AssetError, ByocKitError
from byoc_kit.remote.fetch import find_in_bundle, find_in_notebook
from byoc_kit.remote.names import is_remote
from byoc_kit.system.files import sha256_of

FOLDER = "assets"

_MANIFEST = "bundle.json"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")


def asset(name: str) -> Path:
    """Return the path of a file that the model needs, or of a folder of files.

    In a notebook, the name is relative to the notebook's folder, which is the kernel's working folder. In an exported
    module, the path is that of the bundle's copy; on its first use, its SHA-256 is compared with that of the export.
    Do not use it for files that you write: in the container, the bundle is read-only.

    A file at a URL, or files of the Hugging Face Hub, are fetched into a cache once. The export locks the revision, and
    the size and the SHA-256 of each file. The container looks for them in its image, in ``/models`` and in its cache,
    and else fetches them.

    Parameters
    ----------
    name : str
        The file's name, written as a literal: the exporter reads it without running the cell. Or
        ``https://host/path/file``, ``hf://org/repo@revision/file``, or ``hf://org/repo@revision`` for a folder.

    Returns
    -------
    Path
        The path of the file or folder.

    Raises
    ------
    AssetError
        If the file is missing, changed, not in that folder, or cannot be fetched.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.asset("clips/bigbuckbunny.mp4").name
    'bigbuckbunny.mp4'
    """
    file = sys._getframe(1).f_globals.get("__file__")  # noqa: SLF001  # the calling module decides which folder is meant
    folder = Path(file).resolve().parent if isinstance(file, str) else None
    if folder is not None and (folder / _MANIFEST).is_file():
        return find_in_bundle(folder, name) if is_remote(name) else _of_bundle(folder, name)
    return find_in_notebook(name) if is_remote(name) else find_asset(Path.cwd(), name)


def find_asset(folder: Path, name: str) -> Path:
    """Return the path of an asset in a notebook's folder. Raises ``AssetError`` if there is no such file."""
    relative = asset_key(name)
    path = folder.absolute() / relative
    try:
        real = Path(os.path.realpath(path, strict=True))
        is_within = real.is_relative_to(os.path.realpath(folder))
        mode = real.stat().st_mode
    except FileNotFoundError:
        hint = "put it next to the notebook, or correct the name"
        raise AssetError(name, "is not there", hint, is_missing=True) from None
    except OSError as error:
        reason = "is a link to itself" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
        raise AssetError(name, reason, "put a file there", is_missing=True) from None
    if not is_within:
        raise AssetError(name, "is a link that leads out of the notebook's folder", "put the file itself there")
    if stat.S_ISDIR(mode):
        raise AssetError(name, "is a folder", "name each of its files that the model needs")
    if not stat.S_ISREG(mode):
        raise AssetError(name, "is not a file", "put a file there")
    return path


def asset_key(name: str) -> str:
    """Return an asset's name as manifests write it. Raises ``AssetError`` for a name that leads elsewhere."""
    hint = "put the file next to the notebook, and name it relative to that folder"
    if not isinstance(name, str):
        msg = f"is of type {type(name).__name__}, but a name is text"
        raise AssetError(repr(name), msg, hint)
    path = PurePosixPath(name)
    if not path.parts:
        raise AssetError(name, "has no name", hint)
    if path.is_absolute() or name.startswith("~") or re.match(r"[A-Za-z]:[\\/]", name):
        raise AssetError(name, "is an absolute path", hint)
    if ".." in path.parts:
        raise AssetError(name, "leads out of the notebook's folder", hint)
    if "\0" in name or not _is_encodable(name):
        raise AssetError(name, "is not a valid file name", "rename it")
    return path.as_posix()


def bundle_file(name: str, sha256: str) -> str:
    """Return where a bundle keeps an asset: under its hash, with its own ending, since some libraries need that."""
    suffix = PurePosixPath(name).suffix
    return f"{FOLDER}/{sha256}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def _of_bundle(folder: Path, name: str) -> Path:
    key = asset_key(name)
    found = (folder / _MANIFEST).stat()
    entry = _declared(folder, found.st_mtime_ns, found.st_size).get(key)
    hint = "export the notebook again"
    if entry is None:
        raise AssetError(name, f"is not in this bundle, according to its {_MANIFEST}", hint)
    try:
        path = folder / bundle_file(key, entry["sha256"])
        is_as_exported = path.stat().st_size == entry["size"] and sha256_of(path) == entry["sha256"]
    except FileNotFoundError:
        raise AssetError(name, f"is missing in {folder / FOLDER}", hint, is_missing=True) from None
    except OSError as error:
        raise AssetError(name, f"cannot be read: {error.strerror}", hint, is_missing=True) from None
    except (KeyError, TypeError) as error:
        raise AssetError(name, f"cannot be found, since {_MANIFEST} is damaged", hint) from error
    if not is_as_exported:
        raise AssetError(name, f"is not the file that was exported: {path} has changed", hint)
    return path


@lru_cache(maxsize=64)
def _declared(folder: Path, mtime_ns: int, size: int) -> dict[str, Any]:  # noqa: ARG001  # they name a version of the file
    try:
        declared = json.loads((folder / _MANIFEST).read_bytes()).get("assets", {})
    except (ValueError, AttributeError, RecursionError):
        declared = None
    if not isinstance(declared, dict):
        msg = f"{folder / _MANIFEST} is damaged; export the notebook again"
        raise ByocKitError(msg)
    return declared


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
