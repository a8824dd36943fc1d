"""The files that tagged cells declare with ``asset("name")``: whether they are there, and can be found."""

from __future__ import annotations

from collections.abc import Iterator

from byoc_kit.core.assets import AssetError, asset_key, find_asset
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.asset_uses import asset_name, asset_references, assets_of
from byoc_kit.notebook.calls import Reference
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.rules.files import writing_cell


def check_assets(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong with the files that tagged cells declare.

    Where the notebook's folder is not known, nothing is looked up in it.
    """
    for reference in asset_references(analysis):
        if asset_name(analysis, reference) is None:
            yield _not_literal(analysis, reference)
    for use in assets_of(analysis):
        try:
            asset_key(use.name) if analysis.folder is None else find_asset(analysis.folder, use.name)
        except AssetError as error:
            code = "missing-asset" if error.is_missing else "asset-path"
            message, _, hint = str(error).rpartition("; ")
            if error.is_missing and (cell := writing_cell(analysis, use.name)):
                hint = f"run cell {cell.number}, which writes it"
            yield Finding(code, analysis.name, message, hint, use.place)


def _not_literal(analysis: Analysis, reference: Reference) -> Finding:
    place = Place.of(reference.cell, reference.call or reference.node)
    message = "asset() is not given a literal, and the exporter does not run the notebook"
    if reference.call is None:
        message = "asset is used without a name, and the exporter does not run the notebook"
    hint = 'write each file\'s own name: asset("weights.safetensors")'
    return Finding("asset-not-literal", analysis.name, message, hint, place)
