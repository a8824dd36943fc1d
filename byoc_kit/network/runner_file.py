"""``runners.json``, the Live Runners that an operator declares, read from a file."""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path

from byoc_kit.errors import ByocKitError
from byoc_kit.network import go_json
from byoc_kit.network.runner_records import RunnerError, StaticEntry, read_static_runners

_SPACE = re.compile(r"[ \t\r\n]*")


def read_runners(path: Path) -> list[StaticEntry]:
    """Read and check ``runners.json``, as go-livepeer's ``-liveRunnerConfig`` takes it.

    Raises ByocKitError that names file, line and column of what is wrong.
    """
    try:
        body = path.read_bytes()
        text = body.decode()
        json.loads(text)
    except OSError as error:
        raise ByocKitError(f"{path}: cannot be read: {error.strerror}; give the path of a runners.json") from error
    except UnicodeDecodeError as error:
        raise ByocKitError(f"{path}: is not UTF-8: {error}; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise ByocKitError(f"{path}, line {error.lineno}, column {error.colno}: is not JSON: {error.msg}") from error
    try:
        return read_static_runners(body)
    except (go_json.GoJsonError, RunnerError) as error:
        line, column = place_of(text, error.path)
        raise ByocKitError(f"{path}, line {line}, column {column}: {error}") from error


def place_of(text: str, path: go_json.Path) -> tuple[int, int]:
    """Return line and column, from 1, of a value of a JSON document; of what is around it, where it is not there."""
    at = _value_at(text, _skip_space(text, 0), path)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _value_at(text: str, at: int, path: go_json.Path) -> int:
    if not path:
        return at
    key, *rest = path
    for name, start in _items(text, at):
        if name == key or (isinstance(name, str) and name.lower() == key):
            return _value_at(text, start, tuple(rest))
    return at


def _items(text: str, at: int) -> list[tuple[str | int, int]]:
    """Return the keys, or indexes, of an object or array of a valid document, and where their values begin."""
    found: list[tuple[str | int, int]] = []
    if text[at] not in "{[":
        return found
    end = _skip_space(text, at + 1)
    while text[end] not in "}]":
        name: str | int = len(found)
        if text[at] == "{":
            name, end = scanstring(text, end + 1)
            end = _skip_space(text, _skip_space(text, end) + 1)
        found.append((name, end))
        _, end = json.JSONDecoder().raw_decode(text, end)
        end = _skip_space(text, end)
        if text[end] == ",":
            end = _skip_space(text, end + 1)
    return found


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
