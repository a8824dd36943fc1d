"""Finds the files that pip would install, with their hashes, from the cache or else from pip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from byoc_kit.bundle.dependencies import Needed
from byoc_kit.bundle.pip import NO_HASHES, LockError, recall, remember, report

_KIND = "files"


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
    known = _read(recall(_KIND))
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
    remember(_KIND, {pin: [file.name, file.sha256] for pin, file in found.items()})
    return found


def _read(raw: Mapping[str, Any]) -> dict[str, File]:
    return {
        pin: File(*entry)
        for pin, entry in raw.items()
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    }
