"""What a thread is at, and for how long: so that one that stands still is seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Heartbeat:
    """One thread says when a step of work begins and ends; others ask how long the present one takes.

    Waiting for something to do is no step.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._since_s: float | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run the body as a step of work; steps do not nest."""
        self._since_s = time.monotonic()
        try:
            yield
        finally:
            self._since_s = None

    def begin_anew(self) -> None:
        """Count the present step from now on: up to here it waited for others."""
        if self._since_s is not None:
            self._since_s = time.monotonic()

    @property
    def taking_s(self) -> float:
        """How long the present step takes; 0 between steps."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
