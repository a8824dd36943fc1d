"""How many pictures may be under way to the front end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

# The front end answers every fourth picture: with nine under way, at 30 fps, an answer may take 170 ms before a picture
# waits for it. On busy cores six cost a tenth of the frames. This bounds what is on its way, not what is drawn: a front
# end that is slow to draw leaves pictures out.
WINDOW = 9
# No answer for the longer of 400 ms and four round trips: the front end is busy, or has no way to answer.
MIN_PATIENCE_S = 0.4
PATIENCE_ROUND_TRIPS = 4
LATE_INTERVAL_S = 0.2
# Jupyter Server keeps what a closed browser tab does not fetch: after long silence, send next to nothing.
GONE_AFTER_S = 30.0
GONE_INTERVAL_S = 5.0
_REMEMBERED = 16


class Credit:
    """Lets a few pictures go unanswered; while no answer comes at all, one every 200 ms.

    The front end acknowledges pictures by their numbers. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[int, float] = {}
        self._round_trips: deque[float] = deque(maxlen=20)
        self._next = 0
        self._last_sent_s = 0.0
        self._last_heard_s = clock()
        self._is_late = False

    @property
    def is_late(self) -> bool:
        """True while the front end owes its answers."""
        return self._is_late

    @property
    def is_gone(self) -> bool:
        """True once nobody has answered for so long that nobody looks on: a closed tab."""
        return self._is_late and self._clock() - self._last_heard_s > GONE_AFTER_S

    @property
    def patience_s(self) -> float:
        """How long an answer may take."""
        # The shortest of the last round trips: a freeze must not teach that freezes are normal.
        return max(MIN_PATIENCE_S, PATIENCE_ROUND_TRIPS * min(self._round_trips, default=0.0))

    def take(self) -> int | None:
        """Return the number of a picture that may go now, or ``None``."""
        with self._lock:
            now_s = self._clock()
            oldest_s = next(iter(self._under_way.values()), now_s)
            self._is_late = self._is_late or now_s - oldest_s > self.patience_s
            if not self._may_send(now_s):
                return None
            if len(self._under_way) >= _REMEMBERED:
                del self._under_way[next(iter(self._under_way))]
            number = self._next
            self._next += 1
            self._under_way[number] = self._last_sent_s = now_s
            return number

    def ack(self, number: int) -> None:
        """Take the answer to a picture, and those to the pictures before."""
        with self._lock:
            self._last_heard_s = self._clock()
            self._is_late = False
            if number in self._under_way:
                self._round_trips.append(self._last_heard_s - self._under_way[number])
            self._under_way = {n: sent_s for n, sent_s in self._under_way.items() if n > number}

    def reset(self) -> None:
        """Forget what is under way: a view came up, and what was sent before it is lost."""
        with self._lock:
            self._last_heard_s = self._clock()
            self._is_late = False
            self._under_way.clear()

    def _may_send(self, now_s: float) -> bool:
        if not self._is_late:
            return len(self._under_way) < WINDOW
        return now_s - self._last_sent_s >= (GONE_INTERVAL_S if self.is_gone else LATE_INTERVAL_S)
