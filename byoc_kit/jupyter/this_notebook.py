"""Finds the running notebook's file: the kernel protocol does not name it, but front ends leave a trace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from byoc_kit.errors import ByocKitError, printable

_EXAMPLE = 'give its path: ship("my_model.ipynb")'


class UnknownNotebookError(ByocKitError):
    """Nothing tells which notebook runs."""


def this_notebook() -> Path:
    """Return the path of the running notebook. Raises ``UnknownNotebookError``."""
    from IPython import get_ipython

    return find_notebook(os.environ, getattr(get_ipython(), "user_ns", {}))


def notebook_name() -> str:
    """Return the running notebook's name without its ending; empty if nothing tells it."""
    try:
        return this_notebook().stem
    except UnknownNotebookError:
        return ""


def find_notebook(environment: Mapping[str, str], namespace: Mapping[str, Any]) -> Path:
    """Return the path that Visual Studio Code or a Jupyter server left in the namespace or the environment.

    The server sets ``JPY_SESSION_NAME`` when the kernel starts, so it is the old name of a notebook renamed since.
    """
    said = str(namespace.get("__vsc_ipynb_file__") or environment.get("JPY_SESSION_NAME") or "")
    if not said.endswith(".ipynb"):
        msg = f"nothing here tells which notebook this is; {_EXAMPLE}"
        raise UnknownNotebookError(msg)
    if not Path(said).is_file():
        msg = f"this kernel was started for {printable(said)}, which is not there any more; restart it, or {_EXAMPLE}"
        raise UnknownNotebookError(msg)
    return Path(said)
