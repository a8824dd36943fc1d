"""The files that tagged cells declare with ``asset("name")``: whether they are there, and can be found."""

from __future__ import annotations

from collections.abc import Iterator

from byoc_kit.core.assets import asset_key, find_asset
from byoc_kit.errors import AssetError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference
from byoc_kit.notebook.declarations import AssetUse, asset_name, asset_references, assets_of
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.rules.files import writing_cell
from byoc_kit.remote.names import parse_remote

ASSET_NOT_LITERAL = Rule(
    code="asset-not-literal",
    severity=Severity.ERROR,
    about="asset() is not given a literal, and the exporter does not run the notebook",
    why=(
        "The exporter copies the files into the bundle, and does not run the notebook. So it must read their names "
        "from the text."
    ),
    example="""\
import os

import byoc_kit

weights = byoc_kit.asset(os.environ["WEIGHTS"])
""",
)
ASSET_PATH = Rule(
    code="asset-path",
    severity=Severity.ERROR,
    about="an asset lies outside the notebook's folder, which is all that the exporter copies from",
    why=(
        "The bundle has each asset by its path from the notebook. A path that leads out of the folder has no place "
        "there."
    ),
    example="""\
import byoc_kit

weights = byoc_kit.asset("../weights.safetensors")
""",
)
MISSING_ASSET = Rule(
    code="missing-asset",
    severity=Severity.ERROR,
    about="the file of an asset is not there",
    why="The exporter copies the file into the bundle. It cannot copy what is not there.",
    example="""\
import byoc_kit

weights = byoc_kit.asset("weights.safetensors")
""",
)
ASSET_URL = Rule(
    code="asset-url",
    severity=Severity.ERROR,
    about="the name of an asset that lies elsewhere has a form that is not known",
    why="Such an asset is a file at an https:// URL, or a file or folder of the Hugging Face Hub, by an hf:// name.",
    example="""\
import byoc_kit

weights = byoc_kit.asset("s3://bucket/weights.safetensors")
""",
)


def check_assets(analysis: Analysis) -> Iterator[Finding]:
    """Yield what is wrong with the files that tagged cells declare.

    Where the notebook's folder is not known, nothing is looked up in it. Nothing is asked of a network.
    """
    for reference in asset_references(analysis):
        if asset_name(analysis, reference) is None:
            yield from _check_literal(analysis, reference)
    for use in assets_of(analysis):
        try:
            _look_up(analysis, use)
        except AssetError as error:
            rule = ASSET_URL if use.is_remote else MISSING_ASSET if error.is_missing else ASSET_PATH
            message, _, hint = str(error).rpartition("; ")
            if error.is_missing and (cell := writing_cell(analysis, use.name)):
                hint = f"run cell {cell.number}, which writes it"
            yield Finding(rule, analysis.name, message, hint, use.place)


def _look_up(analysis: Analysis, use: AssetUse) -> None:
    if use.is_remote:
        parse_remote(use.name)
    elif analysis.folder is None:
        asset_key(use.name)
    else:
        find_asset(analysis.folder, use.name)


def _check_literal(analysis: Analysis, reference: Reference) -> Iterator[Finding]:
    place = Place.of(reference.cell, reference.call or reference.node)
    message = "asset() is not given a literal, and the exporter does not run the notebook"
    if reference.call is None:
        message = "asset is used without a name, and the exporter does not run the notebook"
    hint = 'write each file\'s own name: asset("weights.safetensors")'
    yield Finding(ASSET_NOT_LITERAL, analysis.name, message, hint, place)
