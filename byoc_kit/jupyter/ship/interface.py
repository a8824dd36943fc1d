"""What ``ship`` returns: the same for a panel with buttons and for a text that nobody acts on."""

from __future__ import annotations

from typing import Protocol


class Ship(Protocol):
    """What ``ship`` returns; as a cell's last value it shows itself."""

    def close(self) -> None:
        """End what runs, the server too, and the widgets; running the cell again does it as well."""
        ...
