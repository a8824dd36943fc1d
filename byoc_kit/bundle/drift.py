"""Whether a bundle is still what its notebook says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from byoc_kit.bundle.plan import Plan
from byoc_kit.notebook.text import printable


def drift(plan: Plan) -> str:
    """Return how the bundle in the plan's folder differs from the plan, as a unified diff; empty where it does not."""
    return "".join(line for name, data in plan.files.items() for line in _differs(plan.target / name, data))


def _differs(path: Path, data: bytes) -> Iterator[str]:
    before = path.read_bytes() if path.is_file() else b""
    if before == data:
        return
    old, new = (raw.decode(errors="replace").split("\n") for raw in (before, data))
    for line in difflib.unified_diff(old, new, str(path), f"{path} as the notebook says", lineterm=""):
        yield f"{printable(line)}\n"
