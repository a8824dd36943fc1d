"""The ship panel: ``ship()`` as a cell's last line shows what would be exported, and does it by buttons.

The module is callable, because its name is also the function's: once it is imported, ``byoc_kit.ship`` is the module,
whatever ``byoc_kit.__getattr__`` would say.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

__all__ = ["Ship", "ship"]

THIS_NOTEBOOK = "this notebook"


class Ship(Protocol):
    """What :func:`ship` returns; as a cell's last value it shows itself."""

    def close(self) -> None:
        """End what runs, the server too, and the widgets; running the cell again does it as well."""
        ...


def ship(notebook: str | Path = THIS_NOTEBOOK) -> Ship:
    """Show which cells of a notebook go into the container and what is wrong with them, with a button for each step.

    The buttons run the commands of ``byoc-kit`` in the notebook's folder. What counts is the saved file: the panel
    reads it again when it is saved. Where nobody looks on (papermill, nbconvert, a script) it prints the cells and the
    findings, and no more; errors among the findings do not fail the cell: that is what ``byoc-kit check`` is for.

    Raises :class:`~byoc_kit.errors.ByocKitError` for a file that is missing or no notebook, and where a person looks on
    but nothing tells which notebook this is; where nobody does, that is only said.
    """
    from byoc_kit.ship.start import start

    return start(notebook)


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Ship:
        return ship(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
