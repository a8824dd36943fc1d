"""Decides how many pictures may be on the way to the front end, and which of them it answers at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Each answer makes the kernel busy and then idle, and JupyterLab shows that at the top and the bottom of its page.
# Without a GPU, Chromium then composes all that is between them again, which takes 18 ms each time. So while answers
# come quickly, the kernel asks for few of them, and the window is large enough for the time that one takes. Slow
# answers mean a slow network or page, so fewer pictures may then be on the way, but at least 9: with 6, busy cores lost
# a tenth of the frames.
QUICK_S = 0.2
SPACING, WINDOW = 4, 9
QUICK_SPACING, QUICK_WINDOW = 24, 33
# No answer for 400 ms or four round trips, whichever is longer, means that the front end is busy or cannot answer.
MIN_PATIENCE_S = 0.4
PATIENCE_ROUND_TRIPS = 4
LATE_INTERVAL_S = 0.2
# Jupyter Server keeps what a closed browser tab does not fetch, so after a long silence almost nothing is sent.
GONE_AFTER_S = 30.0
GONE_INTERVAL_S = 5.0
_REMEMBERED = 16


@dataclass(frozen=True)
class SendSlot:
    """Permission to send one picture. If ``is_asked``, the front end answers it at once, otherwise with others."""

    number: int
    is_asked: bool


class AckWindow:
    """Limits how many pictures are sent without an answer. While no answer comes at all, it allows one every 200 ms.

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
        """True while the front end's answers are overdue."""
        return self._is_late

    @property
    def is_gone(self) -> bool:
        """True once the page has been silent for so long that it must be closed."""
        return self._is_late and self._clock() - self._last_heard_s > GONE_AFTER_S

    @property
    def patience_s(self) -> float:
        """How long an answer may take."""
        # The shortest of the last round trips, so that a freeze does not make it more patient.
        return max(MIN_PATIENCE_S, PATIENCE_ROUND_TRIPS * min(self._round_trips, default=0.0))

    @property
    def size(self) -> int:
        """How many pictures may be on the way."""
        return QUICK_WINDOW if self._is_quick else WINDOW

    def take(self) -> SendSlot | None:
        """Return a slot if a picture may be sent now, else ``None``."""
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
        """Take the answer to a picture, which also answers all earlier pictures."""
        with self._lock:
            self._last_heard_s = self._clock()
            self._is_late = False
            if number in self._asked:
                self._round_trips.append(self._last_heard_s - self._asked[number])
            self._answered = max(self._answered, number + 1)
            self._asked = {n: sent_s for n, sent_s in self._asked.items() if n > number}

    def reset(self) -> None:
        """Forget the pictures on the way: a new view opened, and what was sent before it is lost."""
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
        # After quick answers, more pictures than now allowed may be on the way, and none of them asks for an answer.
        return self._next - self._answered < self.size or not self._asked
