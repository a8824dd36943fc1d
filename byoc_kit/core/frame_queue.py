"""A bounded queue that passes frames, and other items of a stream, from one thread to another."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")
Drops: TypeAlias = Literal["oldest", "newest"]


@dataclass(eq=False)
class Limit:
    """How many items of one kind may wait; ``lost`` counts those that were dropped because there was no room."""

    most: int
    drops: Drops | None = None
    lost: int = 0
    waiting: int = 0


class FrameQueue(Generic[T]):
    """Hands items over in order; at most ``most`` of them wait.

    When it is full, ``put`` waits for room, or the oldest or the newest item is dropped (``drops``). Items of a kind
    that has a ``Limit`` of its own do not count towards the queue's limit, and keep their place in the order.
    """

    def __init__(self, most: int = 0, *, drops: Drops | None = None) -> None:
        self._limit = Limit(most, drops)
        self._items: deque[tuple[T, Limit]] = deque()
        self._error: Exception | None = None
        self._is_finished = False
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def lost(self) -> int:
        """How many were dropped because there was no room."""
        return self._limit.lost

    @property
    def is_closed(self) -> bool:
        """Whether the queue was closed: nothing is taken from it any more."""
        return self._is_closed

    def put(self, item: T, limit: Limit | None = None) -> bool:
        """Add an item; returns ``False`` if it was dropped, or the queue is closed."""
        limit = limit or self._limit
        with self._changed:
            if limit.drops is None:
                self._changed.wait_for(lambda: limit.waiting < limit.most or self._is_closed)
            if self._is_closed or not self._make_room(limit):
                return False
            self._items.append((item, limit))
            limit.waiting += 1
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """Return the next item, or ``None`` at the end.

        Raises the error that the queue was finished with, and ``TimeoutError`` after ``timeout_s`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._is_finished or self._is_closed, timeout_s):
                raise TimeoutError
            if self._items:
                item, limit = self._items.popleft()
                limit.waiting -= 1
                self._changed.notify_all()
                return item
            if self._error is not None and not self._is_closed:
                raise self._error
            return None

    def take_back(self, kind: type[T]) -> T | None:
        """Remove and return the newest item that waits if it is a ``kind``; else return ``None``."""
        with self._changed:
            if not self._items or not isinstance(self._items[-1][0], kind):
                return None
            item, limit = self._items.pop()
            limit.waiting -= 1
            self._changed.notify_all()
            return item

    def finish(self, error: Exception | None = None) -> None:
        """End the queue after the items that wait; with an ``error``, ``take`` then raises it."""
        with self._changed:
            self._is_finished, self._error = True, error
            self._changed.notify_all()

    def close(self) -> list[T]:
        """End the queue at once, for both sides; returns the items that nobody took."""
        with self._changed:
            self._is_closed = True
            left = [item for item, _ in self._items]
            self._items.clear()
            self._changed.notify_all()
            return left

    def _make_room(self, limit: Limit) -> bool:
        """Drop the oldest item of its kind if there is no room; ``False`` if a new item is to be dropped instead."""
        if limit.waiting < limit.most:
            return True
        limit.lost += 1
        if limit.drops == "newest":
            return False
        del self._items[next(at for at, (_, of) in enumerate(self._items) if of is limit)]
        limit.waiting -= 1
        return True
