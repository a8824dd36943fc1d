"""Parameters of a model: one pydantic class for the server's checks, the notebook's sliders and papermill."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from byoc_kit.errors import ByocKitError, cut, did_you_mean, in_one_line

MAX_VALUES = 50_000
"""JSON with more values is refused: reading 5 million lists, or reporting what is wrong with each, takes seconds."""

MAX_SHOWN = 1000
"""The most characters of a parameter in a stream's status and events, which are sent every 5 s."""

ParamsT = TypeVar("ParamsT", bound="Params")

_ALL = "params"
# At most one value follows each comma or opening bracket; those inside strings do not count.
_STRING_OR_VALUE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([,\[{])', re.DOTALL)
_UNKNOWN = "is no parameter of this model"


class ParamsError(ByocKitError):
    """A parameter has a value that is not allowed.

    Attributes
    ----------
    field : str
        The name of the parameter.
    reason : str
        What is wrong with its value.

    Examples
    --------
    >>> import byoc_kit
    >>> try:
    ...     byoc_kit.Params().updated({"gain": 2})
    ... except byoc_kit.ParamsError as error:
    ...     print(error.field)
    gain
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class DefaultError(ParamsError):
    """The class of the parameters refuses its own default, so no stream can start. ``field`` names the parameter."""

    def __str__(self) -> str:
        if self.field == _ALL:
            return f"no stream can start with the parameters' defaults: {self.reason}; choose others"
        said = f"no stream can start with the default of {self.field}: {self.reason}"
        return f"{said}; give the field a default that is allowed"


@dataclass(frozen=True)
class _Given:
    """The values that parameters were made from, before any validator. Comparisons of parameters ignore them."""

    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Params(BaseModel):
    """Base class of a notebook's parameters: an immutable pydantic model, so that they cannot change during a frame.

    Each field needs a default. Its bounds become a slider in the notebook and a check in the container. Unknown names
    are errors. So are NaN and infinity, which JSON does not have. Defaults are checked like any other value.

    Raises
    ------
    ParamsError
        From ``updated``, for a value that is not allowed.

    Examples
    --------
    >>> import byoc_kit
    >>> from pydantic import Field
    >>> class Params(byoc_kit.Params):
    ...     gain: float = Field(1.0, ge=0, le=2)
    >>> Params().updated({"gain": 1.5})
    Params(gain=1.5)
    >>> Params().updated({"gain": 3})
    Traceback (most recent call last):
    byoc_kit.core.params.ParamsError: gain: Input should be less than or equal to 2
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, validate_by_name=True
    )

    _given_params: _Given = PrivateAttr(default_factory=_Given)

    if not TYPE_CHECKING:  # with it, type checkers would accept names that are no fields

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                near = did_you_mean(name, type(self).model_fields)
                if not near or name.startswith("_"):
                    raise
                msg = f"{type(self).__name__} has no field {name}{near}"
                raise AttributeError(msg) from None

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                if error.errors(include_url=False)[0]["type"] not in {"frozen_instance", "frozen_field"}:
                    raise
                msg = f"{name} was set: parameters cannot be changed in a hook; make a variable of your own"
                raise AttributeError(msg) from None

    @model_validator(mode="wrap")
    @classmethod
    def _keep_given(cls, given: Any, make: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return make(given)
        values = _with_factories(cls, _by_name(cls, given))
        params = make(values)
        params._given_params = _Given(values)  # noqa: SLF001  # its own, just made
        return params

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """Return a checked copy with changes applied.

        All fields are validated again, from the values as they were given: no validator sees a value that it made.

        Parameters
        ----------
        changes : mapping
            New values by field name; the other fields keep theirs.

        Raises
        ------
        ParamsError
            If a value is not allowed; it names the first such field.
        """
        kind = type(self)
        check_names(kind, changes)
        try:
            return kind.model_validate({**self._given_params.values, **_by_name(kind, changes)})
        except ValidationError as error:
            raise params_error(error) from None
        except Exception as error:
            raise ParamsError(_ALL, f"its validator raised {in_one_line(error)}") from error


def check_names(kind: type[Params], names: Iterable[str]) -> None:
    """Refuse the first unknown name. pydantic would make an error for each, which takes 9 s for 500,000 of them."""
    ours = Params.__pydantic_decorators__.model_validators
    validators = kind.__pydantic_decorators__.model_validators.items()
    may_rename = any(one.info.mode != "after" for name, one in validators if name not in ours)
    if kind.model_config.get("extra") != "forbid" or may_rename:
        return
    known = set(_names_of(kind))
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise ParamsError(cut(unknown), _UNKNOWN + did_you_mean(unknown, sorted(known)))


def _names_of(kind: type[Params]) -> Iterator[str]:
    """Yield the names that clients may use for the fields."""
    for name, info in kind.model_fields.items():
        yield from (name, *_aliases(info))
        for one in _choices(info):
            if isinstance(one, AliasPath) and isinstance(one.path[0], str):
                yield one.path[0]


def default_params(kind: type[ParamsT]) -> ParamsT:
    """Return the parameters of a stream that sets none. Raises ``DefaultError`` if a default is not allowed."""
    try:
        return kind()
    except ValidationError as error:
        first = params_error(error)
        raise DefaultError(first.field, first.reason) from None
    except Exception as error:
        raise DefaultError(_ALL, f"making them raises {in_one_line(error)}") from error


def carried_over(params: Params, kind: type[ParamsT]) -> tuple[ParamsT, list[ParamsError]]:
    """Make parameters of another class, which keep the values given to these as far as that class accepts them.

    Fields whose value it refuses get their defaults, and the list has the reasons. Raises ``DefaultError`` if a default
    is not allowed.
    """
    carried, refused = default_params(kind), list[ParamsError]()
    given = {name: value for name, value in given_values(params).items() if name in kind.model_fields}
    while given:
        try:
            return carried.updated(given), refused
        except ParamsError as error:
            refused.append(error)
            if given.pop(error.field.partition(".")[0], None) is None:
                break  # the error is about several fields
    return carried, refused


def given_values(params: Params) -> dict[str, Any]:
    """Return the values as they were given, by field name and before any validator."""
    return dict(params._given_params.values)  # noqa: SLF001  # a method would take its name from the fields


def raw_values(params: Params) -> dict[str, Any]:
    """Return the value of each field as it was given, or else its default before any validator.

    These are the values that a person sets and sends. A field that has neither gets its validated value: for example,
    a field whose default is made from other fields.
    """
    given = given_values(params)
    return {
        name: given[name] if name in given else _raw_default(info, getattr(params, name))
        for name, info in type(params).model_fields.items()
    }


def as_json(params: Params) -> dict[str, Any]:
    """Return ``raw_values`` as JSON. Sent to another stream, it starts that stream with the same parameters.

    Fields that are excluded from dumps are left out. Secrets stay hidden, so they must be filled in again.
    """
    fields = type(params).model_fields
    return {
        name: _json_of(getattr(params, name)) if _has_secret(getattr(params, name)) else _json_of(value)
        for name, value in raw_values(params).items()
        if not fields[name].exclude
    }


def in_brief(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for display; only the length of a long one is given."""
    sizes = {name: len(json.dumps(value)) for name, value in values.items()}
    return {
        name: value if sizes[name] <= MAX_SHOWN else f"({sizes[name]} characters)" for name, value in values.items()
    }


def _by_name(kind: type[Params], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by field name, also those that a client sent under an alias."""
    names = {alias: name for name, info in kind.model_fields.items() for alias in _aliases(info)}
    return {names.get(name, name): value for name, value in values.items()}


def _aliases(info: FieldInfo) -> list[str]:
    """Return the other names that stand for a field's whole value."""
    return [choice for choice in _choices(info) if isinstance(choice, str)]


def _choices(info: FieldInfo) -> list[str | AliasPath | None]:
    alias = info.validation_alias
    return [*alias.choices] if isinstance(alias, AliasChoices) else [alias, info.alias]


def _with_factories(kind: type[Params], given: dict[str, Any]) -> dict[str, Any]:
    """Add the values of default factories: a random seed must stay when another parameter changes."""
    made = {
        name: info.get_default(call_default_factory=True)
        for name, info in kind.model_fields.items()
        if name not in given and info.default_factory is not None and not info.default_factory_takes_validated_data
    }
    return {**given, **made}


def _raw_default(info: FieldInfo, validated: Any) -> Any:
    return validated if info.is_required() or info.default_factory is not None else info.get_default()


def _json_of(value: Any) -> Any:
    if isinstance(value, Params):
        return as_json(value)
    if isinstance(value, Mapping):
        return {str(key): _json_of(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_of(inner) for inner in value]
    return to_jsonable_python(value, fallback=str)


def _has_secret(value: Any) -> bool:
    inner: Iterable[Any] = ()
    if isinstance(value, BaseModel):
        inner = vars(value).values()
    elif isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    return isinstance(value, SecretStr | SecretBytes) or any(map(_has_secret, inner))


def params_error(error: ValidationError) -> ParamsError:
    """Return pydantic's first complaint in one line, with the field's dotted name."""
    return params_errors(error)[0]


def params_errors(error: ValidationError) -> list[ParamsError]:
    """Return each of pydantic's complaints in one line, with the field's dotted name."""
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
    """Parse JSON of at most ``MAX_VALUES`` values. Raises ``ParamsError`` that names ``field``."""
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
    """Read parameters as clients send them: an object, a JSON string of one, ``{"params": ...}`` with one, or null.

    Raises ``ParamsError`` for anything else.
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
