"""The fields of a file that announces a container: which keys go-livepeer reads, as what, and what is wrong with them.

Its decoder is Go's ``encoding/json``: keys match in any case, unknown ones are ignored, null leaves a field as it is,
and one value of a wrong type refuses the whole file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from byoc_kit.bundle.json_positions import Kind, Member, Node, place_of
from byoc_kit.errors import printable
from byoc_kit.notebook.findings import Severity

CODES = {
    "json": Severity.ERROR,  # no JSON
    "shape": Severity.ERROR,  # JSON of another shape
    "type": Severity.ERROR,  # a value of a type that is not read
    "required": Severity.ERROR,
    "value": Severity.ERROR,
    "duplicate": Severity.ERROR,  # a label, or a model that is both warm and cold
    "unknown-key": Severity.WARNING,
    "repeated-key": Severity.WARNING,
    "ignored": Severity.WARNING,  # a key that has no effect beside the others
    "health-url": Severity.WARNING,  # leads elsewhere than it seems to
    "shared-url": Severity.WARNING,  # two models at one container
    "price-feed": Severity.WARNING,  # a currency that only some orchestrators know
    "on-chain": Severity.NOTE,  # does no harm off-chain
}
REFUSED = "go-livepeer refuses the whole file"

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_GO_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

_LONGEST = 60


@dataclass(frozen=True)
class FileFinding:
    """What is wrong in a line of a file, and what to do."""

    code: str
    line: int
    column: int
    message: str
    hint: str

    @property
    def severity(self) -> Severity:
        """How bad it is: at an error go-livepeer stops, or refuses the file."""
        return CODES[self.code]

    @property
    def is_error(self) -> bool:
        """Whether go-livepeer stops at it, or refuses the file."""
        return self.severity is Severity.ERROR


class Type(StrEnum):
    """What go-livepeer reads a value as, in the words of a hint."""

    TEXT = 'a string, as in "tint"'
    FLAG = "true or false"
    WHOLE = "a whole number, as in 1"
    NUMBER = "a number without quotes, as in 3000"
    PRICE = "a number, as in 0.5"
    OBJECT = "an object"
    GPU = 'a number, or an object as in {"name": "NVIDIA L40S", "vram_mb": 46068}'


def _is_whole(node: Node) -> bool:
    """Whether a value is an int64 as Go reads one, which ``1.0`` is not."""
    return node.kind is Kind.NUMBER and bool(_WHOLE.fullmatch(node.text)) and -(2**63) <= int(node.text) < 2**63


_READS: dict[Type, Callable[[Node], bool]] = {
    Type.TEXT: lambda node: node.kind is Kind.STRING,
    Type.FLAG: lambda node: node.kind is Kind.BOOLEAN,
    Type.WHOLE: _is_whole,
    Type.NUMBER: lambda node: node.kind is Kind.NUMBER,
    Type.PRICE: lambda node: node.kind is Kind.NUMBER or bool(_GO_NUMBER.fullmatch(node.text)),
    Type.OBJECT: lambda node: node.kind is Kind.OBJECT,
    Type.GPU: lambda node: node.kind is Kind.OBJECT or _is_whole(node),
}


class Check:
    """The findings on a text, and the checks that hold for any object in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[FileFinding] = []

    def say(self, code: str, at: int | Node | Member, message: str, hint: str) -> None:
        """Note a finding."""
        place = place_of(self._text, at if isinstance(at, int) else at.start)
        self.found.append(FileFinding(code, *place, message, hint))

    def line(self, node: Node) -> int:
        """Return the line in which a value begins."""
        return place_of(self._text, node.start).line

    def fields(self, node: Node, types: Mapping[str, Type], *, unread: Collection[str] = ()) -> dict[str, Node]:
        """Return the values of the right type by their keys.

        ``unread`` are keys that are documented, though go-livepeer does not read them.
        """
        found: dict[str, Node] = {}
        for member in node.members:
            key = member.key.lower()
            if key in found:
                self.say("repeated-key", member, f"{key} is said a second time, and the last one counts", "keep one")
            if key in types:
                found[key] = member.value
            elif key not in unread:
                self.unknown(member, types)
        for key, value in found.items():
            if value.kind is not Kind.NULL or types[key] is Type.NUMBER:
                self.typed(key, value, types[key])
        return {key: value for key, value in found.items() if _READS[types[key]](value)}

    def typed(self, key: str, value: Node, kind: Type) -> None:
        """Check a value's type."""
        if not _READS[kind](value):
            self.say("type", value, f"{printable(key)} is {shown(value)}, so {REFUSED}", f"write {kind}")

    def unknown(self, member: Member, known: Collection[str]) -> None:
        """Say that a key is ignored, and which one it may stand for."""
        near = difflib.get_close_matches(member.key.lower(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it reads {', '.join(known)}"
        self.say("unknown-key", member, f"go-livepeer ignores the key {printable(member.key)}", hint)

    def text(self, key: str, fields: Mapping[str, Node], entry: Node, example: str) -> None:
        """Check a text that must be there, without spaces around it."""
        value = fields.get(key)
        if value is None or not value.text.strip():
            self.say("required", value or entry, f"{key} is missing", f'write "{key}": "{example}"')
        elif value.text != value.text.strip():
            self.say("value", value, f"{key} has spaces around it", f'write "{printable(value.text.strip())}"')

    def url(self, key: str, value: Node | None) -> None:
        """Check a text that is a URL if it is there."""
        if value is not None and value.text.strip() and not is_http_url(value.text):
            self.say(
                "value", value, f"{key} is {shown(value)}, which is not a URL", 'write it as "http://localhost:8000"'
            )

    def one_of(
        self, key: str, value: Node | None, known: Collection[str], *, as_read: Callable[[str], str] = str
    ) -> None:
        """Check a text that is nothing or has one of a few values."""
        if value is None or as_read(value.text) in ("", *known):
            return
        near = difflib.get_close_matches(value.text.strip().lower(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"write {', '.join(known)}"
        self.say("value", value, f"{key} is {shown(value)}, which go-livepeer does not have", hint)

    def not_negative(self, key: str, value: Node | None) -> None:
        """Check a number."""
        if value is not None and value.text.startswith("-") and not _is_zero(value):
            self.say("value", value, f"{key} is {shown(value)}, and must not be negative", "write 0 or more")

    def currency(self, value: Node | None) -> None:
        """Check the currency of a price that go-livepeer converts to wei."""
        if value is not None and value.text.lower() not in ("", "wei", "eth"):
            message = f"currency is {shown(value)}, which go-livepeer converts by a price feed, and stops without one"
            self.say("price-feed", value, message, "give the price in wei, or see that the orchestrator has the feed")

    def entries(self, array: Node) -> list[Node]:
        """Return the objects of an array."""
        for item in array.items:
            if item.kind is not Kind.OBJECT:
                self.say("shape", item, f"this entry is {shown(item)}, and must be an object", "write it in { }")
        return [item for item in array.items if item.kind is Kind.OBJECT]


def text_of(fields: Mapping[str, Node], key: str) -> str:
    """Return what a field says; nothing if it is not there."""
    return fields[key].text if key in fields else ""


def shown(node: Node) -> str:
    """Return a value as a message has it: as it is written, if it is short."""
    if node.kind in (Kind.OBJECT, Kind.ARRAY) or len(node.text) > _LONGEST:
        return str(node.kind)
    return f'"{printable(node.text)}"' if node.kind is Kind.STRING else node.text


def is_positive(number: Node) -> bool:
    """Whether a number, or a text that is one, is above 0."""
    return not number.text.startswith("-") and not _is_zero(number)


def is_positive_whole(number: Node) -> bool:
    """Whether a number is 1, 2, 3 ..., also if it is written as 1.0 or 10e-1."""
    digits, _, exponent = number.text.lower().partition("e")
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent[:9] or 0)  # among the digits, that is
    return is_positive(number) and not (whole + fraction)[max(point, 0) :].strip("0")


def _is_zero(number: Node) -> bool:
    return not re.search("[1-9]", number.text.lower().partition("e")[0])


def is_http_url(text: str) -> bool:
    """Whether Go takes a text for an absolute URL of HTTP."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text
    return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)
