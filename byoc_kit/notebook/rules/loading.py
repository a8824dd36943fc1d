"""What a container loads when it starts: pickles, which run code, and files from the network."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, calls
from byoc_kit.notebook.constants import literal_path, text_constants
from byoc_kit.notebook.declarations import assets_of
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.rules.files import file_uses

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
            yield Finding(DOWNLOAD, analysis.name, message, _HINT, Place.of(call.cell, call.node))
        elif call.name.endswith(_BY_NAME):
            node = call.argument(0, "pretrained_model_name_or_path")
            name = None if node is None else literal_path(node, call.scope, text_constants(analysis))
            if name and not (analysis.folder and (analysis.folder / name).exists()):
                message = f"{shown(name)} is fetched over the network when the container starts"
                yield Finding(DOWNLOAD, analysis.name, message, _HINT_OF_HUB, Place.of(call.cell, call.node))


def _is_local(call: Reference) -> bool:
    source = call.argument(2, "source")  # of torch.hub.load
    return isinstance(source, ast.Constant) and source.value == "local"
