"""A function of the notebook that a preview follows: its cell may run again while it plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.version import Version, as_defined_now


class Followed:
    """Remembers what the notebook had last under the name of a function, and of its parameters' class."""

    def __init__(self, version: Version) -> None:
        self._name = kernel.global_name(version.hooks.process_frame)
        self.take(version)

    def take(self, version: Version) -> None:
        """Follow on from a version that was made of the newest function."""
        self._function, self._params_type = version.hooks.process_frame, version.hooks.params_type

    def newer(self, namespace: Mapping[str, Any]) -> Callable[..., Any] | None:
        """Return the function, once, where it or its parameters' class was defined anew; else ``None``."""
        function: Callable[..., Any] | None = namespace.get(self._name) if self._name else None
        if function is None:
            return None
        params_type = as_defined_now(self._params_type, namespace)
        if function is self._function and params_type is self._params_type:
            return None
        self._function, self._params_type = function, params_type
        return function
