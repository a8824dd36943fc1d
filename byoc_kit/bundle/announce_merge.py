"""Puts the entries of bundles into an orchestrator's own ``aiModels.json`` or ``runners.json``; all else stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.bundle.announce_check import Format, format_of, format_of_name
from byoc_kit.bundle.json_positions import JsonError, Kind, Node, decode_text, parse, place_of
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.core.capability import PIPELINE
from byoc_kit.errors import ByocKitError
from byoc_kit.system.files import write_whole

_EMPTY = {Format.AI_MODELS: "[]\n", Format.RUNNERS: '{\n  "runners": []\n}\n'}
_NAMED_BY = {Format.AI_MODELS: "model_id", Format.RUNNERS: "label"}
_INDENT = "  "


@dataclass(frozen=True)
class Merged:
    """An entry that is in the file now, and the keys of the one before it that its bundle does not say."""

    name: str
    is_new: bool
    lost: tuple[str, ...] = ()


def merge(path: Path, bundles: Sequence[Path]) -> list[Merged]:
    """Write the entries of bundles into a file, and make it if it is not there.

    An entry takes the place of the one of the same model or label, or comes last. All else of the file stays as it is
    written. Raises ``ByocKitError``, and the file is then as it was.
    """
    text = _read(path) if path.exists() else ""
    kind = _format(path, text)
    text = text if text.strip() else _EMPTY[kind]
    merged = []
    for bundle in bundles:
        for entry in _entries_of(bundle, kind):
            text, one = _put(path, text, kind, entry)
            merged.append(one)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}; it is as it was"
        raise ByocKitError(msg) from error
    return merged


def image_overrides(path: Path) -> dict[str, str]:
    """Return the images of the models that the ai-worker is to start, which a file only says for people."""
    document = json.loads(_read(path))
    models = document if isinstance(document, list) else []
    return {
        model["model_id"]: model["container"]
        for model in models
        if isinstance(model, dict) and model.get("pipeline") == PIPELINE and not model.get("url")
        if isinstance(model.get("model_id"), str) and isinstance(model.get("container"), str)
    }


def _format(path: Path, text: str) -> Format:
    kind = format_of(_parse(path, text), path.name) if text.strip() else format_of_name(path.name)
    if kind not in _EMPTY:
        msg = f"{path} is neither an aiModels.json nor a runners.json; name it so, or give one that is"
        raise ByocKitError(msg)
    return kind


def _entries_of(bundle: Path, kind: Format) -> list[dict[str, Any]]:
    """Return the entries of a bundle's own file."""
    path = read_bundle(bundle).folder / kind
    if not path.is_file():
        msg = f"{bundle} has no {kind}; export the notebook again"
        raise ByocKitError(msg)
    text = _read(path)
    array = _array(path, text, _parse(path, text), kind)
    return [json.loads(text[node.start : node.end]) for node in array.items if node.kind is Kind.OBJECT]


def _put(path: Path, text: str, kind: Format, entry: dict[str, Any]) -> tuple[str, Merged]:
    """Return the file's text with an entry in it."""
    array = _array(path, text, _parse(path, text), kind)
    name = str(entry.get(_NAMED_BY[kind], ""))
    same = [node for node in array.items if _is_of(node, kind, entry)]
    if len(same) > 1:
        lines = " and ".join(str(place_of(text, node.start).line) for node in same)
        msg = f"{path} has several entries of {name}, in the lines {lines}; leave one of them, and merge again"
        raise ByocKitError(msg)
    if same:
        [old] = same
        lost = tuple(member.key for member in old.members if member.key not in entry)
        return text[: old.start] + _written(entry, text, old.start) + text[old.end :], Merged(
            name, is_new=False, lost=lost
        )
    newline = _newline(text)
    if array.items:
        first, last = array.items[0], array.items[-1]
        margin = _margin(text, first.start)
        added = f",{newline}{margin}{_written(entry, text, first.start)}"
        return text[: last.end] + added + text[last.end :], Merged(name, is_new=True)
    margin = _margin(text, array.start)
    inner = newline + margin + _INDENT
    added = f"[{inner}{_dumped(entry, inner)}{newline}{margin}]"
    return text[: array.start] + added + text[array.end :], Merged(name, is_new=True)


def _is_of(node: Node, kind: Format, entry: dict[str, Any]) -> bool:
    """Whether an entry of the file is of the same model, or has the same label."""
    said = {member.key.lower(): member.value.text for member in node.members}
    keys = ("pipeline", "model_id") if kind is Format.AI_MODELS else ("label",)
    return all(said.get(key) == entry.get(key) for key in keys)


def _written(entry: dict[str, Any], text: str, at: int) -> str:
    """Return an entry as it is written at a place, whose margin it has."""
    return _dumped(entry, _newline(text) + _margin(text, at))


def _dumped(entry: dict[str, Any], newline: str) -> str:
    return json.dumps(entry, indent=_INDENT).replace("\n", newline)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _margin(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _array(path: Path, text: str, root: Node, kind: Format) -> Node:
    """Return what has the entries."""
    array: Node | None = root
    if kind is Format.RUNNERS:
        array = next((member.value for member in root.members if member.key.lower() == "runners"), None)
    if array is None or array.kind is not Kind.ARRAY:
        line, column = place_of(text, root.start if array is None else array.start)
        msg = f"{path}, line {line}, column {column}: go-livepeer would not read it; see `byoc-kit models check {path}`"
        raise ByocKitError(msg)
    return array


def _read(path: Path) -> str:
    try:
        return decode_text(path.read_bytes())
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; give an aiModels.json or a runners.json"
        raise ByocKitError(msg) from error
    except JsonError as error:
        msg = f"{path}: {error}; save it as plain UTF-8"
        raise ByocKitError(msg) from error


def _parse(path: Path, text: str) -> Node:
    try:
        return parse(text)
    except JsonError as error:
        line, column = place_of(text, error.at)
        msg = f"{path}, line {line}, column {column}: this is not valid JSON: {error}; correct it there"
        raise ByocKitError(msg) from error
