"""Has the API page show the Sphinx roles of docstrings, such as :class:`~byoc_kit.Params`, as plain code."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]+\.)?(\w+)`")


class Roles(griffe.Extension):
    """Writes each role of a docstring as the name alone."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of whatever was read."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(r"`\1`", obj.docstring.value)
