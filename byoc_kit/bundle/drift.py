"""Finds out whether a bundle still matches its notebook."""

from __future__ import annotations

import ast
import difflib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from byoc_kit.bundle.manifest import PROCESSOR, edited_files, read_manifest, with_unix_lines
from byoc_kit.bundle.plan import OPTIONAL, Plan, plan_own
from byoc_kit.core.bundle_reader import MANIFEST, Bundle
from byoc_kit.errors import ByocKitError, printable
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import parse
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.declarations import remote_assets
from byoc_kit.notebook.names import PROCESSOR as CLASS
from byoc_kit.notebook.notebook_file import read_notebook
from byoc_kit.remote.locked import ASSETS, read_lock, render_lock
from byoc_kit.remote.store import WEIGHTS
from byoc_kit.system.files import sha256_of


@dataclass(frozen=True)
class Drift:
    """The names of a bundle's files that differ from the plan, also assets; ``diff`` shows the differences."""

    files: tuple[str, ...]
    diff: str

    def __bool__(self) -> bool:
        return bool(self.files)


def drift(analysis: Analysis, bundle: Path) -> Drift:
    """Return how a bundle differs from its notebook.

    The lock and the kit's version do not count: a change of these does not make code stale. Raises ``ByocKitError`` if
    the notebook has faults.
    """
    manifest = read_manifest(bundle)
    managed, kit_version = manifest.get("managed") is True, str(manifest.get("kit_version"))
    planned = plan_own(analysis, bundle, managed=managed, kit_version=kit_version)
    wanted = {**manifest, **planned.content}
    files = {**planned.files, MANIFEST: (json.dumps(wanted, indent=2) + "\n").encode()}
    if names := remote_assets(analysis):
        files[ASSETS] = _lock_of_assets(bundle, names)
    return compare(replace(planned, files=files))


def _lock_of_assets(bundle: Path, names: list[str]) -> bytes:
    """Return the bundle's own lock where it is of these assets: what lies elsewhere is not asked for here."""
    is_of_these = sorted(read_lock(bundle)) == names
    return (bundle / ASSETS).read_bytes() if is_of_these else render_lock({}).encode()


def compare(plan: Plan) -> Drift:
    """Return how the bundle in the plan's folder differs from the plan."""
    files = dict(plan.files)
    for name in OPTIONAL:
        if (plan.target / name).is_file():
            files.setdefault(name, b"")
    said = {name: list(_differs(plan.target / name, data)) for name, data in files.items()}
    for name in sorted(plan.assets):
        path = plan.target / name
        if not path.is_file():
            said[name] = [f"{printable(str(path))} is missing\n"]
        elif sha256_of(path) != path.name.partition(".")[0]:
            said[name] = [f"{printable(str(path))} is not what its name says\n"]
    for name, file in sorted(plan.weights.items()):
        path = plan.target / WEIGHTS / name
        if not path.is_file() or sha256_of(path) != file.sha256:
            said[f"{WEIGHTS}/{name}"] = [f"{printable(str(path))} is missing, or is not what the export locked\n"]
    return Drift(tuple(name for name in said if said[name]), "".join(line for lines in said.values() for line in lines))


def why_bundle_is_stale(bundle: Bundle, *, as_it_runs: bool = False) -> str | None:
    """Say in one sentence how a bundle differs from its notebook's file; ``None`` if it does not.

    With ``as_it_runs``, only the module's code and its assets count, since they make the frames; headings and comments
    do not.
    """
    try:
        analysis = Analysis(read_notebook(bundle.notebook))
        if as_it_runs and _runs_the_same(analysis, bundle.folder):
            return None
    except ByocKitError as error:
        return f"the notebook cannot be compared: {error}"
    return why_stale(analysis, bundle.folder)


def _runs_the_same(analysis: Analysis, bundle: Path) -> bool:
    try:
        code = _code((bundle / PROCESSOR).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return False
    return code == _code(checked_module(analysis).source) and not _changed_assets(analysis, bundle)


def _code(module: str) -> str:
    """Return a module's code without comments, and without the docstrings that contain the notebook's title."""
    tree = parse(module)
    processors = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == CLASS]
    documented: list[ast.Module | ast.ClassDef] = [tree, *processors]
    for node in documented:
        if ast.get_docstring(node, clean=False) is not None:
            node.body.pop(0)
    return ast.dump(tree)


def why_stale(analysis: Analysis, bundle: Path) -> str | None:
    """Say in one sentence how a bundle differs from its notebook; ``None`` if it does not."""
    try:
        found = drift(analysis, bundle)
    except ByocKitError as error:
        return f"the notebook cannot be compared: {error}"
    if not found:
        return None
    if PROCESSOR in edited_files(bundle):
        back = f"`byoc-kit sync {shlex.quote(str(bundle))}`"
        return f"{PROCESSOR} was edited since the export; {back} takes it back to {analysis.name}"
    if PROCESSOR in found.files:
        return f"{analysis.name} has changed since the export; export it again"
    changed = _changed_assets(analysis, bundle)
    if changed:
        has = "has" if len(changed) == 1 else "have"
        return f"{', '.join(changed)} {has} changed since the export; export {analysis.name} again"
    return f"{', '.join(found.files)} in {bundle} is not what {analysis.name} says; export it again"


def _changed_assets(analysis: Analysis, bundle: Path) -> list[str]:
    said = read_manifest(bundle).get("assets")
    now = plan_own(analysis, bundle).content["assets"]
    return [printable(name) for name in now if not isinstance(said, dict) or said.get(name) != now[name]]


def _differs(path: Path, data: bytes) -> Iterator[str]:
    before = with_unix_lines(path.read_bytes()) if path.is_file() else b""
    if before == data:
        return
    old, new = (raw.decode(errors="replace").split("\n") for raw in (before, data))
    for line in difflib.unified_diff(old, new, str(path), f"{path} as the notebook says", lineterm=""):
        yield f"{printable(line)}\n"
