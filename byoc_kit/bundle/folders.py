"""Decides where a bundle and its reports go; all commands, buttons and notebooks use the same places."""

from __future__ import annotations

import os
from pathlib import Path

from byoc_kit.core.bundle_reader import MANIFEST
from byoc_kit.errors import ByocKitError

_EXPORT = "export"
_REPORTS = "reports"


def target_of(notebook: Path, output: Path | None) -> Path:
    """Return the folder to export a notebook to: ``output`` if there is one, else that of its bundle.

    Raises ``ByocKitError`` if the notebook's name cannot name a folder.
    """
    if output is None and notebook.stem in {"", ".", ".."}:
        msg = f"{notebook.name} gives a bundle no name; choose its folder with --output"
        raise ByocKitError(msg)
    return output or bundle_folder(notebook)


def bundle_folder(notebook: Path, *, here: Path | None = None) -> Path:
    """Return the folder of a notebook's bundle, ``export/NAME``.

    It is in the nearest folder, from the notebook's upwards, that already has this bundle, or else any bundle. The
    first bundle goes to ``here``, by default the working folder, if the notebook is below that; otherwise it goes
    beside the notebook.
    """
    here, folder = _whole(here or Path()), _whole(notebook).parent
    above = [folder, *folder.parents]
    own = (up for up in above if _is_file(up / _EXPORT / notebook.stem / MANIFEST))
    with_bundles = (up for up in above if any(up.glob(f"{_EXPORT}/*/{MANIFEST}")))
    home = next(own, None) or next(with_bundles, None) or (here if here in above else folder)
    return _as_typed(home / _EXPORT / notebook.stem, here)


def report_folder(bundle: Path, *, here: Path | None = None) -> Path:
    """Return the folder of a bundle's report: ``reports/NAME`` beside its ``export/``, else in the working folder."""
    here, folder = _whole(here or Path()), _whole(bundle)
    home = folder.parent.parent if folder.parent.name == _EXPORT else here
    return _as_typed(home / _REPORTS / folder.name, here)


def _is_file(path: Path) -> bool:
    """Whether a file exists; false in a folder that this user cannot read, such as root's ``/export``."""
    return os.path.isfile(path)  # noqa: PTH113  # pathlib's raises then


def _whole(path: Path) -> Path:
    """Return the absolute path without ``..``; links are not followed."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # pathlib's keeps the dots


def _as_typed(path: Path, here: Path) -> Path:
    """Return a path as a person in the folder ``here`` would type it."""
    relative = Path(os.path.relpath(path, here))
    return relative if len(str(relative)) <= len(str(path)) else path
