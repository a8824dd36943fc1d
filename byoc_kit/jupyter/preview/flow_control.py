"""How many pictures may be under way to the front end, and which of them it answers at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Each answer makes the kernel busy and idle again, and JupyterLab says so at the upper and the lower edge of its page:
# without a GPU, Chromium then composes all between anew, 18 ms each time. So few pictures are asked for an answer while
# the answers are quick, and the window leaves room for the time that one takes. Where they are slow, so is the way or
# the page: less may be under way then, though not less than 9 pictures; six cost a tenth of the frames on busy cores.
QUICK_S = 0.2
SPACING, WINDOW = 4, 9
QUICK_SPACING, QUICK_WINDOW = 24, 33
# No answer for the longer of 400 ms and four round trips: the front end is busy, or has no way to answer.
MIN_PATIENCE_S = 0.4
PATIENCE_ROUND_TRIPS = 4
LATE_INTERVAL_S = 0.2
# Jupyter Server keeps what a closed browser tab does not fetch: after long silence, send next to nothing.
GONE_AFTER_S = 30.0
GONE_INTERVAL_S = 5.0
_REMEMBERED = 16


@dataclass(frozen=True)
class SendSlot:
    """Lets one picture go. The front end answers it at once where ``is_asked``, otherwise with others."""

    number: int
    is_asked: bool


class AckWindow:
    """Lets some pictures go unanswered; while no answer comes at all, one every 200 ms.

    The front end acknowledges pictures by their numbers. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[int, float] = {}
        self._round_trips: deque[float] = deque(maxlen=20)
        self._next = 0
        self._next_asked = 0
        self._answered = 0
        self._last_sent_s = 0.0
        self._last_heard_s = clock()
        self._is_late = False

    @property
    def is_late(self) -> bool:
        """True while the front end owes its answers."""
        return self._is_late

    @property
    def is_gone(self) -> bool:
        """True once the page has not answered for so long that it must be closed."""
        return self._is_late and self._clock() - self._last_heard_s > GONE_AFTER_S

    @property
    def patience_s(self) -> float:
        """How long an answer may take."""
        # The shortest of the last round trips: a freeze must not teach that freezes are normal.
        return max(MIN_PATIENCE_S, PATIENCE_ROUND_TRIPS * min(self._round_trips, default=0.0))

    @property
    def size(self) -> int:
        """How many pictures may be under way."""
        return QUICK_WINDOW if self._is_quick else WINDOW

    def take(self) -> SendSlot | None:
        """Return the slot of a picture that may go now, or ``None``."""
        with self._lock:
            now_s = self._clock()
            oldest_s = next(iter(self._asked.values()), now_s)
            self._is_late = self._is_late or now_s - oldest_s > self.patience_s
            if not self._may_send(now_s):
                return None
            slot = SendSlot(self._next, is_asked=self._is_late or self._next >= self._next_asked)
            self._next += 1
            self._last_sent_s = now_s
            if slot.is_asked:
                self._ask(slot.number, now_s)
            return slot

    def ack(self, number: int) -> None:
        """Take the answer to a picture, and those to the pictures before."""
        with self._lock:
            self._last_heard_s = self._clock()
            self._is_late = False
            if number in self._asked:
                self._round_trips.append(self._last_heard_s - self._asked[number])
            self._answered = max(self._answered, number + 1)
            self._asked = {n: sent_s for n, sent_s in self._asked.items() if n > number}

    def reset(self) -> None:
        """Forget what is under way: a view came up, and what was sent before it is lost."""
        with self._lock:
            self._last_heard_s = self._clock()
            self._is_late = False
            self._answered = self._next_asked = self._next
            self._asked.clear()

    def _ask(self, number: int, now_s: float) -> None:
        if len(self._asked) >= _REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self._asked[number] = now_s
        self._next_asked = number + (QUICK_SPACING if self._is_quick else SPACING)

    @property
    def _is_quick(self) -> bool:
        return bool(self._round_trips) and self._round_trips[-1] <= QUICK_S

    def _may_send(self, now_s: float) -> bool:
        if self._is_late:
            return now_s - self._last_sent_s >= (GONE_INTERVAL_S if self.is_gone else LATE_INTERVAL_S)
        # Where the answers were quick until now, more may be under way than is allowed, with none asked among them.
        return self._next - self._answered < self.size or not self._asked
