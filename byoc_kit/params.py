"""Parameters of a model: one pydantic class for the server's checks, the notebook's sliders and papermill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from byoc_kit.errors import ByocKitError, in_one_line

_ALL = "params"


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
        names = {field.alias: name for name, field in type(self).model_fields.items() if field.alias}
        named = {names.get(name, name): value for name, value in changes.items()}
        try:
            return type(self).model_validate({**dict(self), **named})
        except ValidationError as error:
            raise params_error(error) from None
        except Exception as error:
            raise ParamsError(_ALL, f"its validator raised {in_one_line(error)}") from error


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
            ".".join(map(str, one["loc"])) or _ALL,
            "is no parameter of this model"
            if one["type"] == "extra_forbidden"
            else " ".join(one["msg"].split()).removeprefix("Value error, "),
        )
        for one in error.errors(include_url=False)
    ]


def parse_changes(raw: Any) -> dict[str, Any]:
    """Read parameters as clients send them: an object, a JSON string of one, ``{"params": ...}`` around it, or null.

    Raises :class:`ParamsError` for anything else.
    """
    if raw is None or raw == "":
        return {}
    if isinstance(raw, str):
        try:
            return parse_changes(json.loads(raw))
        except (ValueError, RecursionError) as error:
            reason = f"is no JSON ({error})"
            raise ParamsError(_ALL, reason) from None
    if not isinstance(raw, dict):
        reason = f"must be an object, not {type(raw).__name__}"
        raise ParamsError(_ALL, reason)
    if set(raw) == {"params"}:
        return parse_changes(raw["params"])
    return raw
