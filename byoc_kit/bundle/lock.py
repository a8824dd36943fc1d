"""``requirements.lock``: the distributions that the exported code imports, and all that they need, as installed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from byoc_kit.bundle.dependencies import LEFT_OUT, Needed, closure
from byoc_kit.bundle.index import File, files_of, installed_device, variant
from byoc_kit.bundle.local_wheels import Wheel, wheel_of
from byoc_kit.bundle.pip import LockError, NotFoundError, platform_tag
from byoc_kit.notebook.module_owners import providers

LOCK = "requirements.lock"
WHEELS = "wheels"
KIT = "byoc-kit"
_CARRIED = "# Its wheel lies in wheels/: no index has what was installed."
_NO_HASHES = "# Without hashes, by --no-hashes: an image gets whatever file its index has for a version."
# For each build of OpenCV that needs a display, the one that does not.
HEADLESS = {
    "opencv-contrib-python": "opencv-contrib-python-headless",
    "opencv-python": "opencv-python-headless",
}

_HEADER = """\
# What processor.py imports, with all it needs, at the versions it was exported with.
# For {platform}; the image installs byoc-kit itself from a wheel beside these.
"""


@dataclass(frozen=True)
class Pin:
    """A locked distribution. The hash is of the file that pip installs, or ``None`` without hashes.

    If ``is_carried``, the bundle has its wheel.
    """

    name: str
    version: str
    sha256: str | None = None
    is_carried: bool = False

    @property
    def lines(self) -> str:
        """The lines of the file."""
        hashed = f" \\\n    --hash=sha256:{self.sha256}" if self.sha256 else ""
        return f"{_CARRIED}\n" * self.is_carried + f"{self.name}=={self.version}{hashed}\n"


@dataclass(frozen=True)
class Locked(Pin):
    """A pin, and the metadata of its distribution."""

    needed: Needed = field(kw_only=True)


@dataclass(frozen=True)
class Lock:
    """The locked distributions, in order; ``wheels`` are those that the bundle carries, by file name.

    ``imported`` are the distributions that the exported code itself imports.
    """

    locked: tuple[Locked, ...]
    imported: tuple[str, ...]
    wheels: Mapping[str, bytes]
    text: str
    kit: Locked

    @property
    def has_hashes(self) -> bool:
        """Whether each distribution has a hash."""
        return all(one.sha256 for one in self.locked)


def missing_modules(names: Iterable[str]) -> set[str]:
    """Return the dotted names of the modules that neither Python nor an installed distribution provides."""
    return {name for name in _third_party(names) if not providers(name)}


def make_lock(
    names: Iterable[str],
    bundle: Path,
    *,
    missing: Iterable[str] = (),
    device: str | None = None,
    with_hashes: bool = True,
) -> Lock:
    """Lock all that some modules, by dotted name, need; ``bundle`` may have an earlier export's wheels and hashes.

    ``missing`` are modules to leave out, since no installed distribution provides them. ``device`` is the device of
    torch's build, such as ``cpu`` or ``cu126``, by default of the installed build. Raises ``LockError`` if a module, or
    something that its distribution needs, is not installed, or if pip gives no hash.
    """
    imported = _roots(names)
    needed = closure({KIT, *imported})
    if device and device != installed_device():
        needed = closure({KIT, *imported}, variant(device, needed))
    kit = needed.pop(KIT)
    earlier = _earlier(bundle)
    notes = [f"# Without {name}, which no installed distribution provides.\n" for name in sorted(missing)]
    for name, headless in HEADLESS.items():
        if name in needed:
            other = _headless(needed[name], headless, earlier, with_hashes=with_hashes)
            notes.append(_opencv_note(name, other))
            needed = _swapped(needed, name, other) if other else needed
            imported = {headless if other and one == name else one for one in imported}
            kit = replace(kit, needs=tuple(headless if other and one == name else one for one in kit.needs))
    wheels = bundle / WHEELS
    carried = {name: wheel_of(one, wheels) for name, one in needed.items() if one.direct_url}
    files: dict[str, File] = {}
    if with_hashes:
        others = [one for name, one in needed.items() if name not in carried]
        files = {one.name: File("", earlier[one.pin]) for one in others if one.pin in earlier}
        files |= files_of(one for one in others if one.name not in files)
        sources = {name for name, file in files.items() if file.name and not file.is_wheel}
        carried |= {name: wheel_of(needed[name], wheels) for name in sorted(sources)}
    locked = tuple(
        _lock(one, files.get(name), carried.get(name), with_hashes=with_hashes) for name, one in needed.items()
    )
    return Lock(
        locked,
        tuple(sorted(imported)),
        {wheel.name: wheel.data for wheel in carried.values()},
        _render(locked, notes, with_hashes=with_hashes),
        Locked(kit.name, kit.version, needed=kit),
    )


def parse_lock(text: str) -> list[Pin]:
    """Read a lock. Raises ValueError for a line that does not belong in a lock."""
    return list(_parse(text))


def _parse(text: str) -> Iterator[Pin]:
    is_carried = False
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            is_carried = line == _CARRIED
            continue
        wanted, *hashes = line.split()
        requirement = Requirement(wanted)
        pins = [one.version for one in requirement.specifier if one.operator == "=="]
        found = [re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", one) for one in hashes]
        if len(pins) != 1 or len(found) > 1 or not all(found):
            msg = f"`{' '.join(line.split())}` pins no version, or has no hash"
            raise InvalidRequirement(msg)
        sha256 = found[0][1] if found and found[0] else None
        yield Pin(canonicalize_name(requirement.name), pins[0], sha256, is_carried)
        is_carried = False


def _third_party(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] not in {*sys.stdlib_module_names, "byoc_kit"}}


def _roots(names: Iterable[str]) -> set[str]:
    names = _third_party(names)
    for name in sorted(missing_modules(names)):
        msg = f"no installed distribution provides the module {name}; install it in this environment with pip"
        raise LockError(msg)
    found = {provider for name in names for provider in providers(name)}
    return found - {name for name, headless in HEADLESS.items() if headless in found}


def _headless(one: Needed, headless: str, earlier: Mapping[str, str], *, with_hashes: bool) -> Needed | None:
    """Return the build of OpenCV without windows at the same version: the installed one, or else pip's."""
    other = replace(one, name=headless)
    if one.direct_url:
        return None
    try:
        if str(Version(distribution(headless).version)) == one.version:
            return other
    except PackageNotFoundError:
        pass
    if not with_hashes or one.pin in earlier:
        return None
    if other.pin in earlier:
        return other
    try:
        found = files_of([other])[headless]
    except NotFoundError:
        return None
    return other if found.is_wheel else None


def _swapped(needed: Mapping[str, Needed], name: str, other: Needed) -> dict[str, Needed]:
    swapped = {**{key: one for key, one in needed.items() if key != name}, other.name: other}
    return {
        key: replace(one, needs=tuple(sorted({other.name if need == name else need for need in one.needs})))
        for key, one in sorted(swapped.items())
    }


def _opencv_note(name: str, other: Needed | None) -> str:
    if other:
        return f"# {other.name} stands for {name}: the same modules without windows, since an image has no libGL.\n"
    return f"# {name} as installed, since pip knows no headless build of it: the base image must have libGL.\n"


def _lock(one: Needed, file: File | None, wheel: Wheel | None, *, with_hashes: bool) -> Locked:
    if wheel:
        return Locked(one.name, wheel.version, wheel.sha256 if with_hashes else None, is_carried=True, needed=one)
    return Locked(one.name, one.version, file.sha256 if file else None, needed=one)


def _earlier(bundle: Path) -> dict[str, str]:
    """Return the hashes of a bundle's lock by their pins; none if it is for another platform, or damaged."""
    try:
        text = (bundle / LOCK).read_text()
        locked = parse_lock(text)
    except (OSError, ValueError):
        return {}
    if f"# For {platform_tag()};" not in text:
        return {}
    return {f"{one.name}=={one.version}": one.sha256 for one in locked if one.sha256 and not one.is_carried}


def _render(locked: Iterable[Locked], notes: Iterable[str], *, with_hashes: bool) -> str:
    names = {one.name for one in locked}
    left_out = "".join(f"#   {name}: {reason}\n" for name, reason in LEFT_OUT.items() if name not in names)
    header = _HEADER.format(platform=platform_tag()) + ("" if with_hashes else f"{_NO_HASHES}\n") + "".join(notes)
    return f"{header}# Left out, though pytrickle declares them:\n{left_out}" + "".join(one.lines for one in locked)
