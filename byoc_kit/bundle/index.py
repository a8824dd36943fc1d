"""What pip's index has: files with their hashes, and builds of torch for a device. From the cache, or else from pip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.version import Version

from byoc_kit.bundle.dependencies import VARIED, Needed
from byoc_kit.bundle.pip import NO_HASHES, LockError, NotFoundError, recall, remember, report

# What the cache calls them.
_FILES = "files"
_BUILDS = "variants"


@dataclass(frozen=True)
class File:
    """A file that pip installs: its name and its hash."""

    name: str
    sha256: str

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel, not a source that has to be built first."""
        return self.name.endswith(".whl")


def files_of(needed: Iterable[Needed]) -> dict[str, File]:
    """Return the file of each distribution, by name. pip is asked once, for all files that the cache does not have.

    Raises ``LockError`` if pip cannot be asked, or does not find one of them.
    """
    needed = list(needed)
    known = _read_files(recall(_FILES))
    unknown = [one for one in needed if one.pin not in known]
    if unknown:
        # `==2.13.0` also accepts 2.13.0+cpu
        known |= keep_reported(report([f"{one.name}==={one.version}" for one in unknown], "--no-deps"))
    for one in needed:
        if one.pin not in known:
            msg = f"pip reports no hash of {one.pin}; {NO_HASHES}"
            raise LockError(msg)
    return {one.name: known[one.pin] for one in needed}


def keep_reported(reported: Iterable[Mapping[str, Any]]) -> dict[str, File]:
    """Return the files of pip's report by their pins, and keep them for the next export."""
    found = {}
    for one in reported:
        said, metadata = one["download_info"], one["metadata"]
        sha256 = said.get("archive_info", {}).get("hashes", {}).get("sha256")
        if sha256:
            name = unquote(urlsplit(said["url"]).path.rpartition("/")[2])
            found[Needed.reported(metadata).pin] = File(name, sha256)
    remember(_FILES, {pin: [file.name, file.sha256] for pin, file in found.items()})
    return found


def _read_files(raw: Mapping[str, Any]) -> dict[str, File]:
    return {
        pin: File(*entry)
        for pin, entry in raw.items()
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    }


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
    known = _read_builds(recall(_BUILDS).get(key))
    if known is not None:
        return known
    try:
        reported = report(wanted)
    except NotFoundError:
        msg = f"pip finds no {key} here; PIP_EXTRA_INDEX_URL must name the index of PyTorch's builds for {device}"
        raise LockError(msg) from None
    keep_reported(reported)
    found = [Needed.reported(one["metadata"]) for one in reported]
    remember(_BUILDS, {key: [[one.name, one.version, list(one.requires), one.licence] for one in found]})
    return {one.name: one for one in found}


def _read_builds(raw: Any) -> dict[str, Needed] | None:
    try:
        found = [Needed(name, version, requires, licence) for name, version, requires, licence in raw]
    except (TypeError, ValueError):
        return None
    return {one.name: one for one in found}
