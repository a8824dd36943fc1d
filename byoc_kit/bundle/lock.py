"""``requirements.lock``: the distributions that the exported code imports, with all they need, as installed here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from byoc_kit.errors import ByocKitError

# pytrickle 0.1.6 declares these, and imports none of them where byoc-kit uses it.
_LEFT_OUT = {
    "asyncio-mqtt": "declared by pytrickle, never imported",
    "opencv-python": "declared by pytrickle for an overlay that byoc-kit does not use; it wants libGL",
    "pytest": "a test tool that pytrickle declares",
    "pytest-asyncio": "a test tool that pytrickle declares",
    "pytest-mock": "a test tool that pytrickle declares",
    "uvloop": "declared by pytrickle, never imported",
}
# A CUDA build of torch brings its own libraries; the Dockerfile lets it.
_WITH_TORCH = ("nvidia-", "cuda-", "triton")

_HEADER = """\
# What processor.py imports, with all it needs, at the versions it was exported with.
# Left out: {left_out}.
# torch brings the CUDA libraries of its own build: install it first, held to these versions (see the Dockerfile).
"""


class LockError(ByocKitError):
    """A module that no installed distribution provides."""


def render_lock(modules: Iterable[str]) -> str:
    """Render the lock for the imported top-level ``modules``. Raises :class:`LockError` naming one that is nowhere."""
    providers = packages_distributions()
    roots = {"byoc-kit"}
    for module in sorted(set(modules) - sys.stdlib_module_names - {"byoc_kit"}):
        if module not in providers:
            msg = f"no installed distribution provides the module {module}; install it in this environment with pip"
            raise LockError(msg)
        roots.update(providers[module])
    versions = _closure(roots)
    left_out = "; ".join(f"{name} ({reason})" for name, reason in _LEFT_OUT.items())
    return _HEADER.format(left_out=left_out) + "".join(f"{name}=={versions[name]}\n" for name in sorted(versions))


def _closure(roots: Iterable[str]) -> dict[str, str]:
    """Follow ``Requires-Dist`` from ``roots``; returns canonical names and public versions."""
    versions: dict[str, str] = {}
    to_visit = [Requirement(root) for root in sorted(roots)]
    visited: set[tuple[str, frozenset[str]]] = set()
    while to_visit:
        requirement = to_visit.pop()
        name = canonicalize_name(requirement.name)
        if name in _LEFT_OUT or (name.startswith(_WITH_TORCH) and name != "nvidia-ml-py"):
            continue
        if (name, frozenset(requirement.extras)) in visited:
            continue
        visited.add((name, frozenset(requirement.extras)))
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
