"""What a parameters' class may be made of, of typing, pydantic and enum, and still be known without running it."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any

import annotated_types
import pydantic

from byoc_kit.core.params import Params

TYPES: dict[str, Any] = {
    **{f"builtins.{kind.__name__}": kind for kind in (int, float, bool, str, bytes, list, tuple, dict)},
    **{f"typing.{name}": getattr(typing, name) for name in ("Any", "List", "Tuple", "Dict")},
    **{f"pydantic.{sign}{kind}": getattr(pydantic, f"{sign}{kind}")
       for sign in ("Positive", "Negative", "NonPositive", "NonNegative", "Strict") for kind in ("Int", "Float")},
    **{f"pydantic.{name}": getattr(pydantic, name) for name in ("StrictBool", "StrictStr", "FiniteFloat")},
    **dict.fromkeys(("byoc_kit.Params", "byoc_kit.core.params.Params"), Params),
    "pydantic.BaseModel": pydantic.BaseModel,
    **{f"enum.{kind.__name__}": kind for kind in (enum.Enum, enum.IntEnum, enum.StrEnum)},
}  # fmt: skip
GENERICS: dict[str, Any] = {
    **{f"builtins.{kind.__name__}": kind for kind in (list, tuple, dict)},
    **{f"typing.{name}": getattr(typing, name) for name in ("List", "Tuple", "Dict", "Optional", "Union")},
}
CALLS: dict[str, Callable[..., Any]] = {
    **{f"pydantic.{name}": getattr(pydantic, name) for name in ("ConfigDict", "Field", "StringConstraints")},
    **{f"pydantic.{name}": getattr(pydantic, name) for name in ("conint", "confloat", "constr", "conlist")},
    **{f"annotated_types.{name}": getattr(annotated_types, name)
       for name in ("Ge", "Gt", "Le", "Lt", "MultipleOf", "MinLen", "MaxLen", "Len", "Interval")},
    "enum.auto": enum.auto,
}  # fmt: skip
DECORATORS = {
    *("builtins.classmethod", "builtins.property", "builtins.staticmethod", "enum.unique", "functools.cache"),
    *("functools.cached_property", "functools.lru_cache", "pydantic.computed_field", "pydantic.field_validator"),
    *("pydantic.model_validator", "typing.final", "typing.override"),
}
ACCESSORS = {"deleter", "getter", "setter"}
# Methods that change no schema; other names with two underscores might.
METHODS = {"__call__", "__eq__", "__getattr__", "__hash__", "__repr__", "__str__", "_missing_", "model_post_init"}
CHANGING_METHODS = {"model_json_schema", "model_parametrized_name", "model_rebuild"}
