"""``requirements.lock``: the distributions that the exported code imports, with all they need, as installed here."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from byoc_kit.errors import ByocKitError

# pytrickle 0.1.6 declares these, and imports none of them where byoc-kit uses it.
_LEFT_OUT = {
    "asyncio-mqtt": "never imported",
    "opencv-python": "for an overlay that byoc-kit does not use; it wants libGL",
    "pytest": "a test tool",
    "pytest-asyncio": "a test tool",
    "pytest-mock": "a test tool",
    "uvloop": "never imported",
}
# A CUDA build of torch brings its own libraries; the Dockerfile lets it.
_WITH_TORCH = ("nvidia-", "cuda-", "triton")
_NOT_WITH_TORCH = {"nvidia-ml-py"}

_HEADER = """\
# What processor.py imports, with all it needs, at the versions it was exported with.
# torch brings the CUDA libraries of its own build: install it first, held to these versions.
# Left out, though pytrickle declares them:
"""


class LockError(ByocKitError):
    """A module that no installed distribution provides, or a distribution that lacks one it needs."""


def missing_modules(modules: Iterable[str]) -> set[str]:
    """Return the top-level modules that neither Python nor an installed distribution provides."""
    return _third_party(modules) - {module for module, names in packages_distributions().items() if any(names)}


def render_lock(modules: Iterable[str]) -> str:
    """Render the lock for imported top-level modules.

    Raises :class:`LockError`, naming it, where a module or what its distribution needs is not installed.
    """
    modules = _third_party(modules)
    for module in sorted(missing_modules(modules)):
        msg = f"no installed distribution provides the module {module}; install it in this environment with pip"
        raise LockError(msg)
    providers = packages_distributions()
    roots = {canonicalize_name(name) for module in modules for name in providers[module] if name}
    left_out = {name: reason for name, reason in _LEFT_OUT.items() if name not in roots}
    versions = _closure({"byoc-kit", *roots}, left_out)
    lines = [f"#   {name}: {reason}\n" for name, reason in left_out.items()]
    lines += [f"{name}=={versions[name]}\n" for name in sorted(versions)]
    return _HEADER + "".join(lines)


def _third_party(modules: Iterable[str]) -> set[str]:
    return set(modules) - sys.stdlib_module_names - {"byoc_kit"}


def _closure(roots: Iterable[str], left_out: Mapping[str, str]) -> dict[str, str]:
    """Follow ``Requires-Dist`` from ``roots``; returns canonical names and public versions."""
    versions: dict[str, str] = {}
    to_visit = [Requirement(root) for root in sorted(roots)]
    visited: set[tuple[str, frozenset[str]]] = set()
    while to_visit:
        requirement = to_visit.pop()
        name = canonicalize_name(requirement.name)
        comes_with_torch = name.startswith(_WITH_TORCH) and name not in _NOT_WITH_TORCH
        key = name, frozenset(requirement.extras)
        if name in left_out or comes_with_torch or key in visited:
            continue
        visited.add(key)
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            msg = f"{requirement.name} is needed but not installed; install it in this environment with pip"
            raise LockError(msg) from None
        # +cpu and the like name a build; which one the image gets is decided where it is built
        versions[name] = Version(found.version).public
        extras = ["", *requirement.extras]
        for line in found.requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                to_visit.append(needed)
    return versions
