"""Which installed distributions provide a module, told by its dotted name; nothing is imported."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from packaging.utils import canonicalize_name

_INFO = (".dist-info", ".egg-info")
_PTH = re.compile(r"^([^/,\n]+\.pth),", re.MULTILINE)
_BINARY = re.compile(r"\.(?:[\w-]+\.)*so,")

PathState: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Installed:
    """A distribution's name, its RECORD, and the folders that it puts on ``sys.path``, as an editable one does.

    The RECORD is searched as one text. `packages_distributions` parses its thousands of lines, and is slow for that.
    """

    name: str
    record: str
    linked: tuple[Path, ...]
    declared: frozenset[str]

    def has(self, path: str) -> bool:
        """Whether there is a module or a package, a namespace package too, at a path such as ``google/protobuf``."""
        return path in self.declared or self._lists(path) or any(_lies_in(folder, path) for folder in self.linked)

    def is_namespace(self, module: str) -> bool:
        """Whether a top-level module is a part of a namespace package; unknown is no."""
        if f"\n{module}/" in self.record:
            return f"\n{module}/__init__." not in self.record
        folders = [folder / module for folder in self.linked if (folder / module).is_dir()]
        return bool(folders) and not any(_has_file(folder, "__init__") for folder in folders)

    def _lists(self, path: str) -> bool:
        if f"\n{path}/" in self.record or f"\n{path}.py," in self.record:
            return True
        at = self.record.find(f"\n{path}.")
        while at >= 0:
            if _BINARY.match(self.record, at + 1 + len(path)):
                return True
            at = self.record.find(f"\n{path}.", at + 1)
        return False


def providers(dotted_name: str) -> set[str]:
    """Return the canonical names of the installed distributions that provide a module.

    Several may have its top-level package, as with ``google`` or ``cv2``. Then only those count that have most of the
    dotted name, be it a module or a name in one. The result is empty for a module of the standard library and for one
    that nothing provides. It has several names where an import may get any of them.
    """
    parts = dotted_name.split(".")
    candidates = _having(parts[0], path_state())
    fewest = 1
    if len(parts) > 1 and candidates and all(one.is_namespace(parts[0]) for one in candidates):
        fewest = 2  # the namespace alone says nothing
    for count in range(len(parts), fewest - 1, -1):
        found = {one.name for one in candidates if one.has("/".join(parts[:count]))}
        if found:
            return found
    return {one.name for one in candidates} if fewest == 1 else set()


def path_state() -> PathState:
    """Return what is on the path, with the times at which something was installed there."""
    found = []
    for entry in sys.path:
        try:
            found.append((entry, Path(entry).stat().st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


@lru_cache
def _having(module: str, state: PathState) -> Sequence[_Installed]:
    return [one for one in _all(state) if module.isidentifier() and one.has(module)]


@lru_cache(maxsize=1)
def _all(state: PathState) -> Sequence[_Installed]:
    found: dict[str, _Installed] = {}
    for entry, _ in state:
        for one in _distributions(Path(entry)):
            found.setdefault(one.name, one)  # an import finds the first
    return list(found.values())


def _distributions(folder: Path) -> Iterator[_Installed]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        infos = [Path(entry.path) for entry in entries if entry.name.endswith(_INFO) and entry.is_dir()]
    for info in sorted(infos):
        if info.name.startswith("~"):  # what pip left of one that it removed
            continue
        record = _text(info / "RECORD")
        links = _PTH.findall(record) if ".pth," in record else []
        declared = frozenset() if record and not links else frozenset(_text(info / "top_level.txt").split())
        linked = tuple(path for name in links for path in _folders(folder / name))
        yield _Installed(canonicalize_name(info.stem.partition("-")[0]), f"\n{record}", linked, declared)


def _folders(pth: Path) -> Iterator[Path]:
    for line in _text(pth).splitlines():
        path = Path(line.strip())
        if path.is_absolute() and path.is_dir():
            yield path


def _lies_in(folder: Path, path: str) -> bool:
    """Whether a source folder has a module, a package, or a namespace of packages; folders of other things are none."""
    try:
        has_init = (folder / path / "__init__.py").is_file()
        return has_init or _has_file(folder, path) or any((folder / path).glob("*/__init__.py"))
    except OSError:  # no file can have so long a name
        return False


def _has_file(folder: Path, path: str) -> bool:
    return (folder / f"{path}.py").is_file() or any((folder / path).parent.glob(f"{Path(path).name}.*so"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
