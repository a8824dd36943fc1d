"""JSON with the position of each value: for findings that name a line, and for edits that leave the rest alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

from byoc_kit.errors import ByocKitError

T = TypeVar("T", bound="Node | Member")

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()


class Kind(StrEnum):
    """What a value is, in the words of a message."""

    OBJECT = "an object"
    ARRAY = "an array"
    STRING = "a string"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "null"


class Place(NamedTuple):
    """A place in a text, counted from 1."""

    line: int
    column: int


class JsonError(ByocKitError):
    """A text that is not valid JSON, and where it goes wrong: ``at`` counts its characters from 0."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True)
class Node:
    """A value and where it is in the text. ``text`` is what a string says, else how the value is written."""

    kind: Kind
    start: int
    end: int
    text: str = ""
    items: tuple[Node, ...] = ()
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Member:
    """A key of an object, where it is, and its value. A key may be there twice."""

    key: str
    start: int
    value: Node

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.value.end


def decode_text(data: bytes) -> str:
    """Return the text of a JSON file. Raises ``JsonError`` if it is not plain UTF-8."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        msg = "it is not UTF-8"
        raise JsonError(msg, len(data[: error.start].decode())) from None
    if text.startswith("\ufeff"):
        msg = "it begins with a byte order mark"
        raise JsonError(msg)
    return text


def parse(text: str) -> Node:
    """Return the one value of a JSON text. Raises ``JsonError``."""
    try:
        root = _value(text, _skip(text, 0))
    except RecursionError:
        msg = "it is nested too deep"
        raise JsonError(msg) from None
    if (rest := _skip(text, root.end)) < len(text):
        msg = f"{text[rest]!r} after the end"
        raise JsonError(msg, rest)
    return root


def place_of(text: str, at: int) -> Place:
    """Return the line and the column of a character."""
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _value(text: str, at: int) -> Node:
    match text[at : at + 1]:
        case "{":
            members, end = _listed(text, at, "}", _member)
            return Node(Kind.OBJECT, at, end, text[at:end], members=members)
        case "[":
            items, end = _listed(text, at, "]", _value)
            return Node(Kind.ARRAY, at, end, text[at:end], items=items)
        case '"':
            return _string(text, at)
    if number := _NUMBER.match(text, at):
        return Node(Kind.NUMBER, at, number.end(), number[0])
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return Node(Kind.NULL if value is None else Kind.BOOLEAN, at, at + len(word), word)
    msg = f"{_seen(text, at)} instead of a value"
    raise JsonError(msg, at)


def _string(text: str, at: int) -> Node:
    try:
        value, end = _STRINGS.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg[0].lower() + error.msg[1:], error.pos) from None
    return Node(Kind.STRING, at, end, value)


def _member(text: str, at: int) -> Member:
    if text[at : at + 1] != '"':
        msg = f"{_seen(text, at)} instead of a key in quotes"
        raise JsonError(msg, at)
    key = _string(text, at)
    colon = _skip(text, key.end)
    if text[colon : colon + 1] != ":":
        msg = f"{_seen(text, colon)} instead of a colon"
        raise JsonError(msg, colon)
    return Member(key.text, at, _value(text, _skip(text, colon + 1)))


def _listed(text: str, at: int, close: str, read: Callable[[str, int], T]) -> tuple[tuple[T, ...], int]:
    """Return what stands between brackets, and where they end."""
    found = list[T]()
    at = _skip(text, at + 1)
    if text[at : at + 1] == close:
        return (), at + 1
    while True:
        found.append(read(text, at))
        at = _skip(text, found[-1].end)
        if text[at : at + 1] == close:
            return tuple(found), at + 1
        if text[at : at + 1] != ",":
            msg = f"{_seen(text, at)} instead of a comma or {close}"
            raise JsonError(msg, at)
        comma, at = at, _skip(text, at + 1)
        if text[at : at + 1] == close:
            msg = f"a comma before {close}, with nothing after it"
            raise JsonError(msg, comma)


def _seen(text: str, at: int) -> str:
    return repr(text[at]) if at < len(text) else "the end of the file"
