"""The files that tagged cells declare with ``asset("name")``, found without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from byoc_kit.core.assets import asset_key, bundle_file, find_asset
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import Reference, references
from byoc_kit.notebook.constants import NotConstantError, constant, constants
from byoc_kit.notebook.findings import Place
from byoc_kit.notebook.notebook_file import NotebookError
from byoc_kit.system.files import sha256_of

_ASSET = {"byoc_kit.asset", "byoc_kit.core.assets.asset"}


@dataclass(frozen=True)
class AssetUse:
    """A call of ``asset`` with a name that is known without running it; ``node`` is its argument."""

    name: str
    place: Place
    node: ast.expr


@dataclass(frozen=True)
class AssetFile:
    """A file that the bundle gets: where it lies now, where the bundle keeps it, and what is in it."""

    source: Path
    target: str
    sha256: str
    size: int


@part
def assets_of(analysis: Analysis) -> list[AssetUse]:
    """Return the assets that the tagged cells name, in the order of the text."""
    found = []
    for reference in asset_references(analysis):
        node, name = _argument(reference), asset_name(analysis, reference)
        if node is not None and name is not None:
            found.append(AssetUse(name, Place.of(reference.cell, node), node))
    return found


def collect(analysis: Analysis) -> dict[str, AssetFile]:
    """Return the files to copy into the bundle, by the name that manifests know them by, sorted.

    Raises ``AssetError`` if one cannot be had, and ``NotebookError`` where the notebook has no folder.
    """
    names = sorted({asset_key(use.name) for use in assets_of(analysis)})
    if names and analysis.folder is None:
        msg = f"{analysis.name}: its assets cannot be found, since nothing says where it lies; save it first"
        raise NotebookError(msg)
    return {name: _file(find_asset(analysis.folder or Path(), name)) for name in names}


def _file(source: Path) -> AssetFile:
    sha256 = sha256_of(source)
    return AssetFile(source, bundle_file(source.name, sha256), sha256, source.stat().st_size)


def asset_references(analysis: Analysis) -> list[Reference]:
    """Return where the tagged cells use ``asset``."""
    return [reference for reference in references(analysis) if reference.name in _ASSET]


def _argument(reference: Reference) -> ast.expr | None:
    """Return the one argument of ``asset("name")``; ``None`` for any other use."""
    call = reference.call
    if call is None or len(call.args) + len(call.keywords) != 1:
        return None
    return reference.argument(0, "name")


def asset_name(analysis: Analysis, reference: Reference) -> str | None:
    """Return the name that ``asset`` is given; ``None`` where only running the notebook would tell."""
    argument = _argument(reference)
    if argument is None:
        return None
    try:
        name = constant(argument, reference.scope, constants(analysis))
    except NotConstantError:
        return None
    return name if isinstance(name, str) else None
