"""A bundle's files: planned from a notebook, then written all together or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import byoc_kit
from byoc_kit.bundle.ai_models import render_ai_models
from byoc_kit.bundle.assets import put_assets
from byoc_kit.bundle.dockerfile import DOCKERIGNORE, render_dockerfile
from byoc_kit.bundle.load import MANIFEST, MAP, SCHEMA, BundleError
from byoc_kit.bundle.lock import LOCK, make_lock, missing_modules
from byoc_kit.bundle.sbom import SBOM, render_sbom
from byoc_kit.bundle.source_map import render_map
from byoc_kit.bundle.wheels import put_wheels
from byoc_kit.notebook.analysis import analyse
from byoc_kit.notebook.assets import collect
from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.notebook_only import is_for_notebooks
from byoc_kit.notebook.params import render_schema
from byoc_kit.notebook.read import NotebookError, read_notebook
from byoc_kit.notebook.target import PYTHON


@dataclass(frozen=True)
class Plan:
    """What an export will write: file names, relative to ``target``, and their bytes.

    ``assets`` has by their names there the files that are copied: they may be larger than the memory. ``wheels`` are
    those of the lock that no index has, ``findings`` the warnings and notes on the notebook.
    """

    target: Path
    files: Mapping[str, bytes]
    assets: Mapping[str, Path] = field(default_factory=dict)
    wheels: Mapping[str, bytes] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def plan(notebook_path: Path, target: Path, *, device: str | None = None, with_hashes: bool = True) -> Plan:
    """Plan the bundle of a notebook; writes nothing and runs none of the notebook's code.

    ``device`` is that of torch's build, by default the installed one. Hashes that are not known yet are asked of pip.
    Raises :class:`~byoc_kit.errors.ByocKitError` where the notebook has faults or a module is not installed.
    """
    notebook = read_notebook(notebook_path)
    analysis = analyse(notebook)
    module, capability = analysis.module, analysis.capability
    if isinstance(capability, Finding):
        raise NotebookError(str(capability))
    # One that is for notebooks is there only where its absence is handled.
    imported = [one for one in analysis.imports if not is_for_notebooks(one.name)]
    missing = missing_modules(i.name for i in imported)
    assets = collect(analysis)
    manifest = {
        "name": notebook.stem,
        "title": notebook.title,
        "kit_version": byoc_kit.__version__,
        "python": PYTHON,
        "notebook": _relative(notebook_path, target),
        "processor": "processor.py",
        "capability": capability.model_dump(),
        "assets": {name: {"sha256": file.sha256, "size": file.size} for name, file in assets.items()},
        "lock": {"device": device, "with_hashes": with_hashes},
    }
    names = {i.name for i in imported} - missing
    lock = make_lock(names, target, missing=missing, device=device, with_hashes=with_hashes)
    files = {
        "processor.py": module.source,
        MAP: render_map(notebook, module),
        LOCK: lock.text,
        SBOM: render_sbom(lock, capability),
        "Dockerfile": render_dockerfile(capability, has_assets=bool(assets), has_hashes=lock.has_hashes),
        ".dockerignore": DOCKERIGNORE,
        "aiModels.json": render_ai_models(capability),
        **({SCHEMA: render_schema(analysis.schema)} if analysis.schema else {}),
        MANIFEST: json.dumps(manifest, indent=2) + "\n",
    }
    copied = {file.target: file.source for file in assets.values()}
    return Plan(
        target, {name: text.encode() for name, text in files.items()}, copied, lock.wheels, tuple(analysis.findings)
    )


def plan_again(notebook_path: Path, target: Path) -> Plan:
    """Plan the bundle of a notebook as the one in ``target``, if there is one, was locked: its device, its hashes."""
    try:
        said = json.loads((target / MANIFEST).read_bytes())["lock"]
        device, with_hashes = said["device"], said["with_hashes"]
    except (OSError, ValueError, KeyError, TypeError):
        return plan(notebook_path, target)
    return plan(notebook_path, target, device=device, with_hashes=with_hashes)


def write(plan: Plan) -> None:
    """Write a plan: beside the target, then renamed, so that a bundle is whole or absent.

    Files of the target that the plan does not name, such as wheels or notes, stay, but for assets and a schema of an
    earlier export. Raises :class:`BundleError` if the target is something else than a bundle or an empty folder, or
    cannot be written; the target is then as it was.
    """
    target = plan.target.resolve()  # a link to a bundle stays a link
    try:
        if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
            msg = f"{plan.target} is there and is no bundle; choose another folder with --output, or remove it"
            raise BundleError(msg)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True
        ) as scratch:
            new = Path(scratch) / "new"
            _stage(plan, target, new)
            _swap(new, target, old=Path(scratch) / "old")
    except OSError as error:
        is_below_a_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a part of its path is a file" if is_below_a_file else error.strerror or error
        msg = f"cannot write {plan.target}: {reason}; choose another folder with --output"
        raise BundleError(msg) from error


def _stage(plan: Plan, target: Path, new: Path) -> None:
    """Make ``new`` the target with the plan's files in place of its own."""
    new.mkdir()
    if target.exists():
        shutil.copytree(target, new, dirs_exist_ok=True, symlinks=True, copy_function=_link)
    for name, data in plan.files.items():
        (new / name).unlink(missing_ok=True)  # it is the target's own file still
        (new / name).write_bytes(data)
    if SCHEMA not in plan.files:
        (new / SCHEMA).unlink(missing_ok=True)
    put_assets(plan.assets, new)
    put_wheels(plan.wheels, new)


def _link(source: str, target: str) -> None:
    """Link a file instead of copying it, where that works: a wheelhouse has gigabytes."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _swap(new: Path, target: Path, *, old: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise


def _relative(notebook_path: Path, target: Path) -> str:
    """Return the way from the bundle to the notebook; links in it are followed first, as `..` would."""
    notebook = notebook_path.parent.resolve() / notebook_path.name
    return Path(os.path.relpath(notebook, target.resolve())).as_posix()
