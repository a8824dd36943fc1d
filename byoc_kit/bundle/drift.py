"""Whether a bundle is still what its notebook says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from byoc_kit.assets import sha256_of
from byoc_kit.bundle.load import SCHEMA
from byoc_kit.bundle.plan import Plan
from byoc_kit.notebook.text import printable


def drift(plan: Plan) -> str:
    """Return how the bundle in the plan's folder differs from the plan: a unified diff, empty where it does not."""
    files = dict(plan.files)
    if (plan.target / SCHEMA).is_file():
        files.setdefault(SCHEMA, b"")
    differences = [line for name, data in files.items() for line in _differs(plan.target / name, data)]
    for name in sorted(plan.assets):
        path = plan.target / name
        if not path.is_file():
            differences.append(f"{printable(str(path))} is missing\n")
        elif sha256_of(path) != path.name.partition(".")[0]:
            differences.append(f"{printable(str(path))} is not what its name says\n")
    return "".join(differences)


def _differs(path: Path, data: bytes) -> Iterator[str]:
    before = path.read_bytes() if path.is_file() else b""
    if before == data:
        return
    old, new = (raw.decode(errors="replace").split("\n") for raw in (before, data))
    for line in difflib.unified_diff(old, new, str(path), f"{path} as the notebook says", lineterm=""):
        yield f"{printable(line)}\n"
