"""Decides when a preview sends its status: a few times a second, at once after a change, or when there is news."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

# Percentiles of 600 values for each step take a millisecond, so not every picture has them.
INTERVAL_S = 0.2
Message = dict[str, Any]


class StatusBoard:
    """Makes a status when one is due: after ``change``, or some time after the last. Thread-safe."""

    def __init__(self, make: Callable[[], Message]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._last_s = 0.0
        self._is_changed = True
        self._number = 0
        self._newest: Message = {"number": 0}

    def change(self) -> None:
        """Make the next status due at once."""
        self._is_changed = True

    def take(self) -> Message | None:
        """Return the status if it is due. If two overtake each other, the higher ``number`` counts."""
        with self._lock:
            now_s = time.monotonic()
            if not self._is_changed and now_s - self._last_s < INTERVAL_S:
                return None
            number = self._begin(now_s)
        return self._made(number)

    def news(self) -> Message | None:
        """Return the status if it differs from the one before."""
        before = self._newest
        with self._lock:
            number = self._begin(time.monotonic())
        status = self._made(number)
        return None if {**status, "number": before["number"]} == before else status

    def _begin(self, now_s: float) -> int:
        self._is_changed = False
        self._last_s = now_s
        self._number += 1
        return self._number

    def _made(self, number: int) -> Message:
        status = {"number": number, **self._make()}
        with self._lock:
            self._newest = max(self._newest, status, key=itemgetter("number"))
        return status
