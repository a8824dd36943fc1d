"""A bundle's files: planned from a notebook, then written all together or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import byoc_kit
from byoc_kit.bundle.ai_models import render_ai_models
from byoc_kit.bundle.dockerfile import DOCKERIGNORE, render_dockerfile
from byoc_kit.bundle.load import MANIFEST, BundleError
from byoc_kit.bundle.lock import render_lock
from byoc_kit.bundle.module import imported_modules, render_module
from byoc_kit.notebook.check import read_capability
from byoc_kit.notebook.read import read_notebook

WHEELS = "wheels"


@dataclass(frozen=True)
class Plan:
    """What an export will write: file names, relative to ``target``, and their bytes."""

    target: Path
    files: Mapping[str, bytes]


def plan(notebook_path: Path, target: Path) -> Plan:
    """Plan the bundle of a notebook; writes nothing and runs none of the notebook's code.

    Raises :class:`~byoc_kit.errors.ByocKitError` where the notebook has faults or a module is not installed.
    """
    notebook = read_notebook(notebook_path)
    module = render_module(notebook)
    capability = read_capability(notebook)
    manifest = {
        "name": notebook.stem,
        "title": notebook.title,
        "kit_version": byoc_kit.__version__,
        "python": "3.11",
        "notebook": {
            "path": Path(os.path.relpath(notebook_path, target)).as_posix(),
            "sha256": notebook.sha256,
        },
        "processor": "processor.py",
        "capability": capability.model_dump(),
        "cells": [{"cell": c.cell, "first_line": c.first_line, "lines": c.lines} for c in module.cells],
    }
    files = {
        "processor.py": module.source,
        "requirements.lock": render_lock(imported_modules(notebook)),
        "Dockerfile": render_dockerfile(capability),
        ".dockerignore": DOCKERIGNORE,
        "aiModels.json": render_ai_models(capability),
        MANIFEST: json.dumps(manifest, indent=2) + "\n",
    }
    return Plan(target, {name: text.encode() for name, text in files.items()})


def write(plan: Plan) -> None:
    """Write a plan: beside the target, then renamed, so that a bundle is whole or absent.

    Files of the target that the plan does not name, such as wheels, stay. Raises :class:`BundleError` if the target is
    something else than a bundle or an empty folder.
    """
    target = plan.target
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        msg = f"{target} is there and is no bundle; choose another folder with --output, or remove it"
        raise BundleError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        stage.chmod(0o755)
        if target.exists():
            shutil.copytree(target, stage, dirs_exist_ok=True, symlinks=True)
        for name, data in plan.files.items():
            (stage / name).write_bytes(data)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            target.rename(old / "bundle")
            stage.rename(target)
            shutil.rmtree(old)
        else:
            stage.rename(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
