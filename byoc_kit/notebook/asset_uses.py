"""The files that tagged cells declare with ``asset("name")``, found without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.core.assets import AssetError, asset_key, bundle_file, find_asset, sha256_of
from byoc_kit.notebook.calls import Reference
from byoc_kit.notebook.constants import NotConstantError, constant
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.notebook_file import NotebookError
from byoc_kit.notebook.rules.files import writing_cell

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

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


def assets_of(analysis: Analysis) -> list[AssetUse]:
    """Return the assets that the tagged cells name, in the order of the text."""
    found = []
    for reference in _asset_references(analysis):
        node, name = _argument(reference), _name(analysis, reference)
        if node is not None and name is not None:
            found.append(AssetUse(name, Place.of(reference.cell, node), node))
    return found


def check_assets(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong with the files that tagged cells declare.

    Where the notebook's folder is not known, nothing is looked up in it.
    """
    for reference in _asset_references(analysis):
        if _name(analysis, reference) is None:
            yield _not_literal(analysis, reference)
    for use in analysis.assets:
        try:
            asset_key(use.name) if analysis.folder is None else find_asset(analysis.folder, use.name)
        except AssetError as error:
            code = "missing-asset" if error.is_missing else "asset-path"
            message, _, hint = str(error).rpartition("; ")
            if error.is_missing and (cell := writing_cell(analysis, use.name)):
                hint = f"run cell {cell.number}, which writes it"
            yield Finding(code, analysis.name, message, hint, use.place)


def collect(analysis: Analysis) -> dict[str, AssetFile]:
    """Return the files to copy into the bundle, by the name that manifests know them by, sorted.

    Raises ``AssetError`` where one cannot be had, and ``NotebookError`` where the notebook has no folder.
    """
    names = sorted({asset_key(use.name) for use in analysis.assets})
    if names and analysis.folder is None:
        msg = f"{analysis.name}: its assets cannot be found, since nothing says where it lies; save it first"
        raise NotebookError(msg)
    return {name: _file(find_asset(analysis.folder or Path(), name)) for name in names}


def _file(source: Path) -> AssetFile:
    sha256 = sha256_of(source)
    return AssetFile(source, bundle_file(source.name, sha256), sha256, source.stat().st_size)


def _asset_references(analysis: Analysis) -> list[Reference]:
    return [reference for reference in analysis.references if reference.name in _ASSET]


def _argument(reference: Reference) -> ast.expr | None:
    """Return the one argument of ``asset("name")``; ``None`` for any other use."""
    call = reference.call
    if call is None or len(call.args) + len(call.keywords) != 1:
        return None
    return reference.argument(0, "name")


def _name(analysis: Analysis, reference: Reference) -> str | None:
    """Return the name that ``asset`` is given; ``None`` where only running the notebook would tell."""
    argument = _argument(reference)
    if argument is None:
        return None
    try:
        name = constant(argument, reference.scope, analysis.constants)
    except NotConstantError:
        return None
    return name if isinstance(name, str) else None


def _not_literal(analysis: Analysis, reference: Reference) -> Finding:
    place = Place.of(reference.cell, reference.call or reference.node)
    message = "asset() is not given a literal, and the exporter does not run the notebook"
    if reference.call is None:
        message = "asset is used without a name, and the exporter does not run the notebook"
    hint = 'write each file\'s own name: asset("weights.safetensors")'
    return Finding("asset-not-literal", analysis.name, message, hint, place)
