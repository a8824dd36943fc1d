"""Builds of torch for a device, other than the one that is installed here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from packaging.version import Version

from byoc_kit.bundle.dependencies import VARIED, Needed
from byoc_kit.bundle.hashes import keep_reported
from byoc_kit.bundle.pip import LockError, NotFoundError, recall, remember, report

_KIND = "variants"


def installed_device() -> str | None:
    """Return the device that the installed torch's version names, such as ``cpu``; ``None`` if it names none."""
    try:
        return Version(distribution("torch").version).local
    except PackageNotFoundError:
        return None


def variant(device: str, needed: Mapping[str, Needed]) -> dict[str, Needed]:
    """Return torch and its kin of a closure as built for another device, with all that these need, by name.

    pip is asked for it once. Raises ``LockError`` if it finds no such build.
    """
    wanted = [f"{name}=={Version(needed[name].version).public}+{device}" for name in VARIED if name in needed]
    key = " ".join(wanted)
    known = _read(recall(_KIND).get(key))
    if known is not None:
        return known
    try:
        reported = report(wanted)
    except NotFoundError:
        msg = f"pip finds no {key} here; PIP_EXTRA_INDEX_URL must name the index of PyTorch's builds for {device}"
        raise LockError(msg) from None
    keep_reported(reported)
    found = [Needed.reported(one["metadata"]) for one in reported]
    remember(_KIND, {key: [[one.name, one.version, list(one.requires), one.licence] for one in found]})
    return {one.name: one for one in found}


def _read(raw: Any) -> dict[str, Needed] | None:
    try:
        found = [Needed(name, version, requires, licence) for name, version, requires, licence in raw]
    except (TypeError, ValueError):
        return None
    return {one.name: one for one in found}
