"""The ship panel: ``ship()`` as a cell's last line shows what would be exported, and does it by buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

__all__ = ["Ship", "ship"]


class Ship(Protocol):
    """What ``ship`` returns; as a cell's last value it shows itself."""

    def close(self) -> None:
        """End what runs, the server too, and the widgets. Running the cell again does this too."""
        ...


def ship(notebook: str | Path | None = None) -> Ship:
    """Show what of a notebook goes into the container and what is wrong with it, with a button for each step.

    The buttons run the commands of ``byoc-kit`` in the notebook's folder. The panel shows the saved
    file, and reads it again when it is saved. Without a browser (papermill, nbconvert, a script) it only prints the
    cells and the findings. Errors among the findings do not fail the cell; use ``byoc-kit check`` for that.

    Parameters
    ----------
    notebook : str or Path, optional
        The notebook's file; by default the one that this cell is in.

    Returns
    -------
    Ship
        As a cell's last value it shows itself.

    Raises
    ------
    ByocKitError
        If the file is missing or not a notebook. In a browser, also if nothing tells which notebook this is; without
        one, that is only printed.

    Examples
    --------
    >>> byoc_kit.ship()  # doctest: +SKIP
    """
    from byoc_kit.jupyter.ship.start import start

    return start(notebook)
