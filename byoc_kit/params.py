"""Parameters of a model: one pydantic class for the server's checks, the notebook's sliders and papermill."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Self, TypeVar

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, ValidationError

from byoc_kit.errors import ByocKitError, cut, in_one_line

MAX_VALUES = 50_000
"""JSON of more values is refused: reading 5 million lists, or saying what is wrong with each, takes seconds."""

_ALL = "params"
# Behind a comma or an opening bracket stands at most one value; those inside of strings do not count.
_STRING_OR_VALUE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([,\[{])', re.DOTALL)


_UNKNOWN = "is no parameter of this model"


class ParamsError(ByocKitError):
    """A parameter that does not fit; ``field`` names it."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class DefaultError(ParamsError):
    """A default that does not fit, so that no stream can start; ``field`` names its parameter."""

    def __str__(self) -> str:
        if self.field == _ALL:
            return f"no stream can start with the parameters' defaults: {self.reason}; choose others"
        said = f"no stream can start with the default of {self.field}: {self.reason}"
        return f"{said}; give the field a default, and one that fits it"


class Params(BaseModel):
    """Base class of a notebook's parameters: immutable, so that one frame sees one set.

    Unknown names are errors, and so are NaN and infinity, which JSON cannot say. Defaults are checked as any value is.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, validate_by_name=True
    )

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """Return a checked copy with ``changes`` applied; raises :class:`ParamsError` naming the field."""
        _check_names(type(self), changes)
        names = {field.alias: name for name, field in type(self).model_fields.items() if field.alias}
        named = {names.get(name, name): value for name, value in changes.items()}
        try:
            return type(self).model_validate({**dict(self), **named})
        except ValidationError as error:
            raise params_error(error) from None
        except Exception as error:
            raise ParamsError(_ALL, f"its validator raised {in_one_line(error)}") from error


def _check_names(kind: type[Params], names: Iterable[str]) -> None:
    """Refuse the first name that the class does not know: pydantic makes an error of each, 9 s for 500,000 of them."""
    validators = kind.__pydantic_decorators__.model_validators.values()
    may_rename = any(one.info.mode != "after" for one in validators)
    if kind.model_config.get("extra") != "forbid" or may_rename:
        return
    known = set(_names_of(kind))
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise ParamsError(cut(unknown), _UNKNOWN)


def _names_of(kind: type[Params]) -> Iterator[str]:
    """Yield what clients may call the fields."""
    for name, field in kind.model_fields.items():
        yield name
        for alias in (field.alias, field.validation_alias):
            for one in alias.choices if isinstance(alias, AliasChoices) else [alias]:
                first = one.path[0] if isinstance(one, AliasPath) else one
                if isinstance(first, str):
                    yield first


ParamsT = TypeVar("ParamsT", bound=Params)


def default_params(kind: type[ParamsT]) -> ParamsT:
    """Return the parameters of a stream that names none; raises :class:`DefaultError` where a default does not fit."""
    try:
        return kind()
    except ValidationError as error:
        first = params_error(error)
        raise DefaultError(first.field, first.reason) from None
    except Exception as error:
        raise DefaultError(_ALL, f"making them raises {in_one_line(error)}") from error


def params_error(error: ValidationError) -> ParamsError:
    """Say pydantic's first complaint in one line, the field's dotted name first."""
    return params_errors(error)[0]


def params_errors(error: ValidationError) -> list[ParamsError]:
    """Say each of pydantic's complaints in one line, the field's dotted name first."""
    return [
        ParamsError(
            cut(".".join(map(str, one["loc"]))) or _ALL,
            _UNKNOWN
            if one["type"] == "extra_forbidden"
            else cut(" ".join(one["msg"].split()).removeprefix("Value error, ")),
        )
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def load_json(text: str | bytes, *, field: str) -> Any:
    """Parse JSON of at most ``MAX_VALUES`` values. Raises :class:`ParamsError` that names ``field``."""
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text), "surrogatepass")
        if _has_too_many_values(text):
            reason = f"has more than {MAX_VALUES} values; send large data as one string"
            raise ParamsError(field, reason)
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"is no JSON ({error})"
        raise ParamsError(field, reason) from None


def _has_too_many_values(text: str) -> bool:
    if sum(map(text.count, ",[{")) <= MAX_VALUES:
        return False
    values = (found for found in _STRING_OR_VALUE.finditer(text) if found[1])
    return next(islice(values, MAX_VALUES, None), None) is not None


def parse_changes(raw: Any) -> dict[str, Any]:
    """Read parameters as clients send them: an object, a JSON string of one, ``{"params": ...}`` around it, or null.

    Raises :class:`ParamsError` for anything else.
    """
    if raw is None or raw == "":
        return {}
    if isinstance(raw, str):
        return parse_changes(load_json(raw, field=_ALL))
    if not isinstance(raw, dict):
        reason = f"must be an object, not {type(raw).__name__}"
        raise ParamsError(_ALL, reason)
    if raw.keys() == {"params"}:
        return parse_changes(raw["params"])
    return raw
