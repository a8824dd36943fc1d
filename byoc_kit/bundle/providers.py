"""Which installed distributions provide a module, told by its dotted name; nothing is imported."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.utils import canonicalize_name

_INFO = (".dist-info", ".egg-info")
# A module or a package at the top of site-packages, as a line of RECORD has it.
_TOP = re.compile(r"^([^\W\d]\w*)(?:/|\.py,|\.(?:[\w-]+\.)*so,)", re.MULTILINE)
_PTH = re.compile(r"^([^/,\n]+\.pth),", re.MULTILINE)


@dataclass(frozen=True)
class _Installed:
    """A distribution's name, its RECORD, and the folders that it puts on ``sys.path``, as an editable one does."""

    name: str
    record: str
    linked: tuple[Path, ...]
    declared: frozenset[str]

    @property
    def modules(self) -> set[str]:
        """The top-level modules."""
        linked = {path.stem for folder in self.linked for path in folder.iterdir() if _is_module(path)}
        return {*_TOP.findall(self.record), *self.declared, *linked}

    def has(self, path: str) -> bool:
        """Whether there is a module or a package, a namespace package too, at a path such as ``google/protobuf``."""
        found = re.search(rf"^{re.escape(path)}(?:/|\.py,|\.(?:[\w-]+\.)*so,)", self.record, re.MULTILINE)
        return bool(found) or any((folder / path).is_dir() or _has_file(folder, path) for folder in self.linked)

    def is_namespace(self, module: str) -> bool:
        """Whether a top-level module is a part of a namespace package; unknown is no."""
        in_record = re.search(rf"^{module}/", self.record, re.MULTILINE)
        has_init = re.search(rf"^{module}/__init__\.", self.record, re.MULTILINE)
        if in_record:
            return not has_init
        folders = [folder / module for folder in self.linked if (folder / module).is_dir()]
        return bool(folders) and not any(_has_file(folder, "__init__") for folder in folders)


def providers(dotted_name: str) -> set[str]:
    """Return the canonical names of the installed distributions that provide a module.

    Where several have its top-level package, as ``google`` or ``cv2``, those that have most of the dotted name, be it
    a module or a name in one. Empty for a module of the standard library or of none; more than one where it cannot be
    told which of them an import gets.
    """
    parts = dotted_name.split(".")
    candidates = _by_module(_state()).get(parts[0], ())
    fewest = 1
    if len(parts) > 1 and candidates and all(one.is_namespace(parts[0]) for one in candidates):
        fewest = 2  # the namespace alone says nothing
    for count in range(len(parts), fewest - 1, -1):
        found = {one.name for one in candidates if one.has("/".join(parts[:count]))}
        if found:
            return found
    return {one.name for one in candidates} if fewest == 1 else set()


def _state() -> tuple[tuple[str, int], ...]:
    """Return what is on the path, with the times at which something was installed there."""
    found = []
    for entry in sys.path:
        try:
            found.append((entry, Path(entry).stat().st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


@lru_cache(maxsize=4)
def _by_module(state: tuple[tuple[str, int], ...]) -> Mapping[str, Sequence[_Installed]]:
    seen: set[str] = set()
    modules: dict[str, list[_Installed]] = defaultdict(list)
    for entry, _ in state:
        for found in _distributions(Path(entry)):
            if found.name in seen:  # an import finds the first
                continue
            seen.add(found.name)
            for module in found.modules:
                modules[module].append(found)
    return modules


def _distributions(folder: Path) -> Iterator[_Installed]:
    if not folder.is_dir():
        return
    for info in sorted(folder.iterdir()):
        if info.suffix not in _INFO or not info.is_dir() or info.name.startswith("~"):
            continue
        record = _text(info / "RECORD")
        links = _PTH.findall(record)
        declared = frozenset() if record and not links else frozenset(_text(info / "top_level.txt").split())
        linked = tuple(path for name in links for path in _folders(folder / name))
        yield _Installed(canonicalize_name(info.stem.partition("-")[0]), record, linked, declared)


def _folders(pth: Path) -> Iterator[Path]:
    for line in _text(pth).splitlines():
        path = Path(line.strip())
        if path.is_absolute() and path.is_dir():
            yield path


def _is_module(path: Path) -> bool:
    return path.stem.isidentifier() and (path.suffix == ".py" or (path / "__init__.py").is_file())


def _has_file(folder: Path, path: str) -> bool:
    return (folder / f"{path}.py").is_file() or any((folder / path).parent.glob(f"{Path(path).name}.*so"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
