"""What is computed of a cell or a notebook once, and lives as long as it does."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_Kept = TypeVar("_Kept")
_Result = TypeVar("_Result")


def once(function: Callable[[_Kept], _Result]) -> Callable[[_Kept], _Result]:
    """Keep the result of a function of one immutable object in that object, as ``functools.cached_property`` does.

    Not an ``lru_cache``: a notebook with more cells than that holds would find none in it, and nodes of a tree are
    told apart by their identity.
    """
    key = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def kept(of: _Kept) -> _Result:
        results: dict[str, Any] = of.__dict__
        if key not in results:
            results[key] = function(of)
        result: _Result = results[key]
        return result

    return kept
