"""Reads a request's body into a dataclass, as Go's ``encoding/json`` reads it into a struct.

Keys match in any case, and unknown keys are ignored. ``null`` leaves a field at its default. Text after the first value
is ignored. Bytes that are not UTF-8 become U+FFFD.
"""

import dataclasses
import json
from types import UnionType
from typing import Any, NoReturn, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from byoc_kit.errors import ByocKitError

T = TypeVar("T")
Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in a document: the keys and indexes down to it."""

_GO_TYPES = {str: "string", int: "int", bool: "bool"}
_JSON_NAMES = {str: "string", int: "number", bool: "bool", list: "array", dict: "object"}


class GoJsonError(ByocKitError):
    """A body that Go's decoder refuses; ``path`` has the keys and indexes down to the refused value."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path


def decode(body: bytes, kind: type[T], *, only: bool = False) -> T:
    """Return the first value of a body as a dataclass. With ``only``, refuse more, as Go's ``Unmarshal`` does."""
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    if not text:
        raise GoJsonError("unexpected end of JSON input" if only else "EOF")
    try:
        value, end = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
    except ValueError as error:
        msg = f"invalid JSON: {error}"
        raise GoJsonError(msg) from error
    if only and (rest := text[end:].lstrip(" \t\r\n")):
        msg = f"invalid character {rest[0]!r} after top-level value"
        raise GoJsonError(msg)
    read: T = _read(kind, value, ())
    return read


def refuse(value: Any, path: Path, go_type: str) -> NoReturn:
    """Raise Go's error for a value of the wrong type."""
    field = ".".join(key for key in path if isinstance(key, str))
    into = f"Go struct field {field} of type {go_type}" if field else f"Go value of type {go_type}"
    msg = f"json: cannot unmarshal {_named(value)} into {into}"
    raise GoJsonError(msg, path)


def _read(kind: Any, value: Any, path: Path) -> Any:
    if isinstance(kind, UnionType):
        [kind] = (one for one in get_args(kind) if one is not type(None))
    if value is None:
        return kind()
    if hasattr(kind, "read_json"):
        return kind.read_json(value, path)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if not isinstance(value, list):
            refuse(value, path, f"[]{_GO_TYPES.get(item, item.__name__)}")
        return tuple(_read(item, one, (*path, index)) for index, one in enumerate(value))
    if kind not in _GO_TYPES:
        return read_fields(kind, value, path)
    if type(value) is not kind:
        refuse(value, path, _GO_TYPES[kind])
    return _without_lone_surrogates(value) if kind is str else value


def read_fields(kind: Any, value: Any, path: Path) -> Any:
    """Return a dataclass from a JSON object."""
    if not isinstance(value, dict):
        refuse(value, path, kind.__name__)
    hints = get_type_hints(kind)
    names = {field.name: field.name for field in dataclasses.fields(kind)}
    given = {}
    for key, one in value.items():
        name = names.get(key) or names.get(key.lower())
        if name is not None and one is not None:
            given[name] = _read(hints[name], one, (*path, name))
    return kind(**given)


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _named(value: Any) -> str:
    if isinstance(value, float):
        return f"number {value}"
    return _JSON_NAMES[type(value)]


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON"
    raise ValueError(msg)
