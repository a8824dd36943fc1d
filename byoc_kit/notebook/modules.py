"""Whether the container will have the modules that the tagged cells import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.names import Import
from byoc_kit.notebook.notebook_only import is_for_notebooks
from byoc_kit.notebook.providers import providers
from byoc_kit.notebook.target import PYTHON

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

# Builds of one library; the lock takes the one that needs no display.
_OPENCV = {f"opencv-{kind}" for kind in ("python", "python-headless", "contrib-python", "contrib-python-headless")}


def check_modules(analysis: Analysis) -> Iterator[Finding]:
    """Yield a finding for each import of a module that the container would not have, or not the same."""
    for found in analysis.imports:
        if found.module == "byoc_kit" or is_for_notebooks(found.name):
            continue
        finding = _check(analysis, found)
        if finding:
            yield finding


def check_python(analysis: Analysis) -> Iterator[Finding]:
    """Yield whether the notebook was run with another Python than the container has."""
    python = analysis.notebook.python
    if python is None or python.split(".")[:2] == PYTHON.split("."):
        return
    message = f"the notebook was run with Python {python}, and the container has {PYTHON}"
    yield Finding("python-version", analysis.name, message, f"run it with a kernel of Python {PYTHON}")


def _check(analysis: Analysis, found: Import) -> Finding | None:
    is_standard = found.module in sys.stdlib_module_names
    provided = set() if is_standard else providers(found.name)
    beside = _beside(analysis.folder, found.module)
    if beside and (is_standard or provided):
        message = f"the notebook imports {beside}, which lies beside it, and the container another {found.module}"
        hint = f"rename {beside}, and move what you use of it to a tagged cell"
        return Finding("shadowed-module", analysis.name, message, hint, found.place)
    if len(provided - _OPENCV) + bool(provided & _OPENCV) > 1:
        message = f"{' and '.join(sorted(provided))} both provide the module {found.module}"
        hint = "uninstall all but the one that you mean"
        return Finding("ambiguous-module", analysis.name, message, hint, found.place)
    if is_standard or provided or found.is_optional:
        return None
    hint = "install it in this environment with pip"
    if beside:
        hint = (
            "it lies beside the notebook and is not exported; install it with pip from a folder with a pyproject.toml, "
            "or move what you use of it to a tagged cell"
        )
    elif below := _below(analysis.folder, found.module):
        hint = (
            f"it may be {below}, which is not exported; move what you use of it to a tagged cell, or make it a package"
        )
    message = f"no installed distribution provides the module {found.module}"
    return Finding("missing-module", analysis.name, message, hint, found.place)


def _below(folder: Path | None, module: str) -> str | None:
    """Return the file or folder of a module in a folder beside the notebook, which `sys.path` may name."""
    if folder is None:
        return None
    try:
        found = [*folder.glob(f"*/{module}/__init__.py"), *folder.glob(f"*/{module}.py")]
    except OSError:
        return None
    return min((str(path.relative_to(folder)).removesuffix("__init__.py") for path in found), default=None)


def _beside(folder: Path | None, module: str) -> str | None:
    """Return the file or folder beside the notebook that its import of a module finds first."""
    if folder is None:
        return None
    try:
        if (folder / module / "__init__.py").is_file():
            return f"{module}/"
        return f"{module}.py" if (folder / f"{module}.py").is_file() else None
    except OSError:  # no file can have so long a name
        return None
