"""Finds all distributions that some distributions need, by what each declares, in this environment or from pip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from byoc_kit.bundle.pip import LockError
from byoc_kit.notebook.module_owners import PathState, path_state

# pytrickle 0.1.6 declares these, but the parts that byoc-kit uses import none of them.
LEFT_OUT = {
    "asyncio-mqtt": "never imported",
    "opencv-python": "for an overlay that byoc-kit does not use; it wants libGL",
    "pytest": "a test tool",
    "pytest-asyncio": "a test tool",
    "pytest-mock": "a test tool",
    "uvloop": "never imported",
}
# PyTorch has a build of these for each device.
VARIED = ("torch", "torchaudio", "torchvision")
_DECLARED_BY = "pytrickle"
_MAX_LICENCE = 100


@dataclass(frozen=True)
class Needed:
    """A distribution: its canonical name, its version, its declared requirements, and its licence.

    If it was not installed from an index, ``direct_url`` says where from, as in PEP 610. ``needs`` are the canonical
    names of the distributions that it requires here.
    """

    name: str
    version: str
    requires: Sequence[str] = ()
    licence: str = ""
    direct_url: Mapping[str, Any] | None = field(default=None, hash=False)
    needs: tuple[str, ...] = ()

    @property
    def pin(self) -> str:
        """The requirement that names exactly this version."""
        return f"{self.name}=={self.version}"

    @classmethod
    def installed(cls, found: Distribution) -> Needed:
        """Read an installed distribution's metadata."""
        direct_url = found.read_text("direct_url.json")
        is_condas = (
            found.read_text("INSTALLER") or ""
        ).strip() == "conda"  # its folders are those of the build machine
        known = json.loads(direct_url) if direct_url and not is_condas else None
        return replace(cls.reported(found.metadata.json), direct_url=known)

    @classmethod
    def reported(cls, metadata: Mapping[str, Any]) -> Needed:
        """Read a distribution's metadata, in the form that pip's report and ``importlib.metadata`` have in common."""
        licence = _licence(
            metadata.get("license_expression"), metadata.get("classifier") or [], metadata.get("license")
        )
        name, requires = canonicalize_name(metadata["name"]), metadata.get("requires_dist") or []
        return cls(name, str(Version(metadata["version"])), requires, licence)


def closure(roots: Iterable[str], others: Mapping[str, Needed] | None = None) -> dict[str, Needed]:
    """Return all that ``roots`` require, by canonical name, without what pytrickle declares but nothing uses.

    ``others`` replace distributions that are missing here or have an unsuitable version, such as another build of torch
    and its libraries. Raises ``LockError`` for a distribution that is neither installed nor among them.
    """
    others = others or {}
    found: dict[str, Needed] = {}
    needs: dict[str, set[str]] = {}
    to_visit = [Requirement(root) for root in sorted(roots)]
    visited: set[tuple[str, frozenset[str]]] = set()
    while to_visit:
        requirement = to_visit.pop()
        name = canonicalize_name(requirement.name)
        key = name, frozenset(requirement.extras)
        if key in visited:
            continue
        visited.add(key)
        one = found.setdefault(name, _find(requirement, others))
        edges = needs.setdefault(name, set())
        for needed in _required(one, requirement.extras):
            required = canonicalize_name(needed.name)
            if name != _DECLARED_BY or required not in LEFT_OUT:
                edges.add(required)
                to_visit.append(needed)
    return {name: replace(one, needs=tuple(sorted(needs[name] - {name}))) for name, one in sorted(found.items())}


def _required(one: Needed, extras: Iterable[str]) -> list[Requirement]:
    required = [_requirement(line) for line in one.requires]
    return [r for r in required if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in ("", *extras))]


@lru_cache(maxsize=4096)
def _requirement(line: str) -> Requirement:
    return Requirement(line)


@lru_cache(maxsize=1024)
def _installed(name: str, _path: PathState) -> Needed | None:
    """Return the installed distributions; they are read again only after something was installed or removed."""
    try:
        return Needed.installed(distribution(name))
    except PackageNotFoundError:
        return None


def _find(requirement: Requirement, others: Mapping[str, Needed]) -> Needed:
    name = canonicalize_name(requirement.name)
    other = others.get(name)
    installed = _installed(requirement.name, path_state())
    if installed is None:
        if other:
            return other
        msg = f"{requirement.name} is needed but not installed; install it in this environment with pip"
        raise LockError(msg)
    if other and (name in VARIED or not requirement.specifier.contains(installed.version, prereleases=True)):
        return other
    return installed


def _licence(expression: str | None, classifiers: Iterable[str], text: str | None) -> str:
    """Return an SPDX expression or the licence names in the metadata, but not a licence's whole text."""
    if expression:
        return expression
    parts = [one.split(" :: ") for one in classifiers if one.startswith("License :: ")]
    named = [one[-1] for one in parts if len(one) > 2 or one[-1] != "OSI Approved"]
    if text and len(text) <= _MAX_LICENCE and "\n" not in text.strip() and text.strip() != "UNKNOWN":
        return text.strip()
    return "; ".join(sorted(set(named)))
