"""The object that ``ship`` returns, with or without a browser."""

from __future__ import annotations

from typing import Protocol


class Ship(Protocol):
    """What ``ship`` returns; as a cell's last value it shows itself."""

    def close(self) -> None:
        """End what runs, the server too, and the widgets. Running the cell again does this too."""
        ...
