"""When a preview says how it stands: a few times a second, or at once after a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

# Percentiles of 600 values for each place cost a millisecond: not with every picture.
INTERVAL_S = 0.2
Message = dict[str, Any]


class StatusBoard:
    """Makes a status where one is due: after :meth:`change`, or some time after the last. Thread-safe."""

    def __init__(self, make: Callable[[], Message]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._last_s = 0.0
        self._is_changed = True
        self._number = 0

    def change(self) -> None:
        """Have the next one sent without delay."""
        self._is_changed = True

    def take(self) -> Message | None:
        """Return the status if it is due; of two that overtake each other, that with the higher ``number`` counts."""
        with self._lock:
            now_s = time.monotonic()
            if not self._is_changed and now_s - self._last_s < INTERVAL_S:
                return None
            self._is_changed = False
            self._last_s = now_s
            self._number += 1
            number = self._number
        return {"number": number, **self._make()}
