"""A bounded queue of frames, and of what goes with them, from thread to thread."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")
Drops: TypeAlias = Literal["oldest", "newest"]


@dataclass(eq=False)
class Lane:
    """A kind of item with a bound of its own; ``lost`` counts those that were dropped because there was no room."""

    most: int
    drops: Drops | None = None
    lost: int = 0
    waiting: int = 0


class FrameQueue(Generic[T]):
    """Hands items over in order; at most ``most`` of them wait.

    Where it is full, whoever puts one waits for room, or else the oldest or the newest is dropped (``drops``). What is
    put in a ``Lane`` has the lane's bound in place of the queue's, and keeps its place in the order.
    """

    def __init__(self, most: int = 0, *, drops: Drops | None = None) -> None:
        self._lane = Lane(most, drops)
        self._items: deque[tuple[T, Lane]] = deque()
        self._error: Exception | None = None
        self._is_finished = False
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def lost(self) -> int:
        """How many were dropped because there was no room."""
        return self._lane.lost

    @property
    def is_closed(self) -> bool:
        """Whether nobody takes anything any more."""
        return self._is_closed

    def put(self, item: T, lane: Lane | None = None) -> bool:
        """Add an item; ``False`` if it was not added."""
        lane = lane or self._lane
        with self._changed:
            if lane.drops is None:
                self._changed.wait_for(lambda: lane.waiting < lane.most or self._is_closed)
            if self._is_closed or not self._make_room(lane):
                return False
            self._items.append((item, lane))
            lane.waiting += 1
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """Return the next item; ``None`` at the end. Raises the error it ended with, and ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._is_finished or self._is_closed, timeout_s):
                raise TimeoutError
            if self._items:
                item, lane = self._items.popleft()
                lane.waiting -= 1
                self._changed.notify_all()
                return item
            if self._error is not None and not self._is_closed:
                raise self._error
            return None

    def take_back(self, kind: type[T]) -> T | None:
        """Remove the newest item that waits, and return it, where it is a ``kind``; else ``None``."""
        with self._changed:
            if not self._items or not isinstance(self._items[-1][0], kind):
                return None
            item, lane = self._items.pop()
            lane.waiting -= 1
            self._changed.notify_all()
            return item

    def finish(self, error: Exception | None = None) -> None:
        """Say that nothing follows, and why; what is there is still taken."""
        with self._changed:
            self._is_finished, self._error = True, error
            self._changed.notify_all()

    def close(self) -> list[T]:
        """Let go of both sides; returns what nobody took."""
        with self._changed:
            self._is_closed = True
            left = [item for item, _ in self._items]
            self._items.clear()
            self._changed.notify_all()
            return left

    def _make_room(self, lane: Lane) -> bool:
        """Drop the oldest of a full lane, or say that there is no room for a newer one."""
        if lane.waiting < lane.most:
            return True
        lane.lost += 1
        if lane.drops == "newest":
            return False
        del self._items[next(at for at, (_, of) in enumerate(self._items) if of is lane)]
        lane.waiting -= 1
        return True
