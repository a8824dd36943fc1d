"""What a container loads when it starts: pickles, which run code, and files from the network."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

from byoc_kit.errors import AssetError, shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, calls
from byoc_kit.notebook.constants import literal_path, text_constants
from byoc_kit.notebook.declarations import assets_of
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.rules.files import file_uses
from byoc_kit.remote.names import parse_remote

PICKLE = Rule(
    code="pickle",
    severity=Severity.WARNING,
    about="loading a pickle may run code that is in it",
    why="Whoever can change the file can run code in the container. Formats such as safetensors have data only.",
    example="""\
import pickle

import byoc_kit

with open(byoc_kit.asset("model.pkl"), "rb") as file:
    model = pickle.load(file)
""",
    ignorable=True,
    files=("model.pkl",),
)
DOWNLOAD = Rule(
    code="download",
    severity=Severity.WARNING,
    about="a tagged cell fetches something over the network when the container starts",
    why=(
        "The start takes longer, and fails where the network or the server is down. What is fetched may also be "
        "another file by then."
    ),
    example="""\
import torch

model = torch.hub.load("org/repo", "tiny")
""",
    ignorable=True,
)

_LOADERS = {
    *("cloudpickle.load", "cloudpickle.loads", "dill.load", "dill.loads", "joblib.load", "pandas.read_pickle"),
    *("pickle.Unpickler", "pickle.load", "pickle.loads", "shelve.open"),
}
_SUFFIX = re.compile(r"\.(?:ckpt|joblib|pickle|pkl|pt|pth)", re.IGNORECASE)
_OF_TORCH = re.compile(r"\.(?:ckpt|pt|pth)", re.IGNORECASE)
_WHY = "loading a pickle runs code that is in it"
_INSTEAD = "keep the weights as safetensors"

_FETCHING = {
    *("gdown.download", "huggingface_hub.hf_hub_download", "huggingface_hub.snapshot_download"),
    *("torch.hub.download_url_to_file", "torch.hub.load", "torch.hub.load_state_dict_from_url"),
    *("urllib.request.urlopen", "urllib.request.urlretrieve", "wget.download"),
}
# Where those that fetch a URL or files of the hub have its parts: positions and names of arguments.
_OF_URL = {
    **dict.fromkeys(("torch.hub.download_url_to_file", "torch.hub.load_state_dict_from_url"), (0, "url")),
    **dict.fromkeys(("urllib.request.urlopen", "urllib.request.urlretrieve", "wget.download"), (0, "url")),
}
_OF_HUB = {
    "huggingface_hub.hf_hub_download": ((0, "repo_id"), (1, "filename")),
    "huggingface_hub.snapshot_download": ((0, "repo_id"),),
}
_ELSEWHERE = {"cache_dir", "local_dir", "repo_type", "subfolder", "token"}
"""Arguments with which a file of the hub is not the asset of the same name."""
_KEYWORD_ONLY = 99
_BY_NAME = ".from_pretrained"
_HINT_OF_HUB = "run the container with a volume for its cache, such as the folder that HF_HOME names"
_HINT = 'fetch it once, and name the file with byoc_kit.asset("..."), so that the image has it'


def check_pickles(analysis: Analysis) -> Iterator[Finding]:
    """Yield the calls that load pickles, and the files that are some by their name.

    What ``torch.load`` is given is none of them, unless ``weights_only`` or another unpickler is: from torch 2.6 on it
    loads tensors and nothing else, and every image has the newer one that this package requires.
    """
    called = calls(analysis)
    unsafe = [call for call in called if _loads_pickles(call)]
    for call in unsafe:
        hint = f"{_INSTEAD}, or pass weights_only=True" if call.name == "torch.load" else _hint_of(call)
        yield Finding(PICKLE, analysis.name, f"{call.name}: {_WHY}", hint, Place.of(call.cell, call.node))
    of_torch = [call for call in called if call.name == "torch.load"]
    is_torch_safe = bool(of_torch) and not any(call in unsafe for call in of_torch)
    settled = [*unsafe, *of_torch, *(call for call in called if call.name == "torch.jit.load")]
    said = {id(node) for call in settled for node in ast.walk(call.call or call.node)}
    for name, node, place in _named_files(analysis):
        suffix = _suffix(name)
        is_safe = id(node) in said or (is_torch_safe and _OF_TORCH.fullmatch(suffix))
        if _SUFFIX.fullmatch(suffix) and not is_safe:
            message = f"{shown(name)} is a pickle by its name, and {_WHY}"
            yield Finding(PICKLE, analysis.name, message, f"{_INSTEAD}, if it is yours to choose", place)


def _named_files(analysis: Analysis) -> Iterator[tuple[str, ast.expr, Place]]:
    yield from ((asset.name, asset.node, asset.place) for asset in assets_of(analysis))
    for use in file_uses(analysis):
        if not use.is_write:
            yield use.name, use.node, Place.of(use.cell, use.node)


def _loads_pickles(call: Reference) -> bool:
    if call.name == "torch.load":
        return not (_is_true(call.argument(3, "weights_only")) or _is_left_to_torch(call))
    if call.name in {"numpy.load", "numpy.memmap"}:
        return _is_true(call.argument(2, "allow_pickle"))
    return call.name in _LOADERS


def _is_left_to_torch(call: Reference) -> bool:
    """Whether ``torch.load`` itself chooses what it loads, and no other unpickler is given."""
    given = call.argument(3, "weights_only")
    is_said = given is not None and not (isinstance(given, ast.Constant) and given.value is None)
    return not is_said and call.argument(2, "pickle_module") is None and not _has_more(call)


def _has_more(call: Reference) -> bool:
    """Whether a call takes arguments that are not written there."""
    keywords = call.call.keywords if call.call else []
    return any(keyword.arg is None for keyword in keywords)


def _hint_of(call: Reference) -> str:
    return "save it without objects in it, and leave allow_pickle out" if call.name == "numpy.load" else _INSTEAD


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _suffix(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return dot + ending if stem else ""


def check_downloads(analysis: Analysis) -> Iterator[Finding]:
    """Yield the calls that fetch weights: a start then takes longer, and needs the network and what is there."""
    for call in calls(analysis):
        if call.name in _FETCHING and not _is_local(call):
            message = f"{call.name} fetches over the network when the container starts"
            hint = _hint_of_asset(_asset_instead(analysis, call)) or _HINT
            yield Finding(DOWNLOAD, analysis.name, message, hint, Place.of(call.cell, call.node))
        elif call.name.endswith(_BY_NAME):
            name = _text(analysis, call, 0, "pretrained_model_name_or_path")
            if name and not (analysis.folder and (analysis.folder / name).exists()):
                message = f"{shown(name)} is fetched over the network when the container starts"
                hint = _hint_of_asset(_hub_asset(analysis, call, [name])) or _HINT_OF_HUB
                yield Finding(DOWNLOAD, analysis.name, message, hint, Place.of(call.cell, call.node))


def _is_local(call: Reference) -> bool:
    source = call.argument(2, "source")  # of torch.hub.load
    return isinstance(source, ast.Constant) and source.value == "local"


def _hint_of_asset(name: str | None) -> str | None:
    """Return the hint to name an asset that lies elsewhere; ``None`` for none, or one that cannot be named."""
    try:
        known = None if name is None else parse_remote(name).text
    except AssetError:
        return None
    return known and f"write byoc_kit.asset({json.dumps(known)}) for what it fetches, and the export locks it"


def _asset_instead(analysis: Analysis, call: Reference) -> str | None:
    if call.name in _OF_URL:
        return _text(analysis, call, *_OF_URL[call.name])
    if call.name not in _OF_HUB:
        return None
    parts = [_text(analysis, call, *argument) for argument in _OF_HUB[call.name]]
    return _hub_asset(analysis, call, parts)


def _hub_asset(analysis: Analysis, call: Reference, parts: list[str | None]) -> str | None:
    """Return the name of the asset that is a repository, or one with a file's name, in the revision of a call."""
    keywords = {keyword.arg for keyword in call.call.keywords} if call.call else set()
    revision = _text(analysis, call, _KEYWORD_ONLY, "revision") if "revision" in keywords else "main"
    if keywords & _ELSEWHERE or _has_more(call) or revision is None or None in parts:
        return None
    repo, *file = map(str, parts)
    return "/".join([f"hf://{repo}@{revision}", *file])


def _text(analysis: Analysis, call: Reference, position: int, keyword: str) -> str | None:
    """Return the text that a call is given; ``None`` where only running would tell."""
    node = call.argument(position, keyword)
    return None if node is None else literal_path(node, call.scope, text_constants(analysis))
