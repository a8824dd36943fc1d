"""What tagged cells fetch over the network when the container starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byoc_kit.assets import shown
from byoc_kit.notebook.calls import Reference
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.paths import literal_path

if TYPE_CHECKING:
    from byoc_kit.notebook.analysis import Analysis

_FETCHING = {
    *("gdown.download", "huggingface_hub.hf_hub_download", "huggingface_hub.snapshot_download"),
    *("torch.hub.download_url_to_file", "torch.hub.load", "torch.hub.load_state_dict_from_url"),
    *("urllib.request.urlopen", "urllib.request.urlretrieve", "wget.download"),
}
_BY_NAME = ".from_pretrained"
_HINT_OF_HUB = "run the container with a volume for its cache, such as the folder that HF_HOME names"
_HINT = 'fetch it once, and name the file with byoc_kit.asset("..."), so that the image has it'


def check_downloads(analysis: Analysis) -> Iterator[Finding]:
    """Yield the calls that fetch weights: a start then takes longer, and needs the network and what is there."""
    for call in analysis.calls:
        if call.name in _FETCHING and not _is_local(call):
            message = f"{call.name} fetches over the network when the container starts"
            yield Finding("download", analysis.name, message, _HINT, Place.of(call.cell, call.node))
        elif call.name.endswith(_BY_NAME):
            node = call.argument(0, "pretrained_model_name_or_path")
            name = None if node is None else literal_path(node, call.scope, analysis.text_constants)
            if name and not (analysis.folder and (analysis.folder / name).exists()):
                message = f"{shown(name)} is fetched over the network when the container starts"
                yield Finding("download", analysis.name, message, _HINT_OF_HUB, Place.of(call.cell, call.node))


def _is_local(call: Reference) -> bool:
    source = call.argument(2, "source")  # of torch.hub.load
    return isinstance(source, ast.Constant) and source.value == "local"
