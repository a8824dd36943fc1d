"""Encodes the newest result and sends it, with the status that is due, when the front end has time for it.

It has a thread of its own, so that the time for pictures does not count as time of ``process_frame``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.timings import Timings
from byoc_kit.jupyter.preview.feed import Position
from byoc_kit.jupyter.preview.flow_control import SendSlot
from byoc_kit.jupyter.preview.front_end import FrontEnd, Message
from byoc_kit.jupyter.preview.pictures import PairEncoder
from byoc_kit.jupyter.preview.stats import Meter

logger = logging.getLogger(__name__)

# How often a sender without a slot checks whether the front end is late; an answer wakes it at once.
_CHECK_S = 0.05
# After this long without a picture, it checks whether there is news to send.
NEWS_AFTER_S = 1.0
# More than may be on the way. It forgets the oldest, since a closed page never answers.
_REMEMBERED = 64
# The front end answers a picture within a second.
_ANSWERED_AFTER_S = 1.1
# A status goes out at most this often, unless something has changed: its percentiles, of 600 values for each step, take
# a millisecond.
STATUS_INTERVAL_S = 0.2


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
            if not self._is_changed and now_s - self._last_s < STATUS_INTERVAL_S:
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


@dataclass(frozen=True)
class Shot:
    """Both pictures of one frame; ``right`` is ``None`` if ``process_frame`` dropped it.

    ``due_s`` is when the frame came (``time.monotonic``), or ``None`` if it is sent again and not measured.
    ``captured_ms`` is when the browser's camera took it.
    """

    left: VideoFrame
    right: VideoFrame | None
    due_s: float | None
    position: Position | None
    captured_ms: int | None = None


class Sender:
    """Sends only the newest shot. ``not_shown`` counts shots that a newer one replaced, here or in the page.

    Each shot carries the ``board``'s status. Without shots, a status with news goes out once a second. ``on_answer``
    takes the front end's answers. When no page is open any more, it calls ``on_gone`` and sends the last shot every few
    seconds; once a page answers, it sends as before.
    """

    def __init__(
        self, front_end: FrontEnd, board: StatusBoard, *, width: int, on_gone: Callable[[], None] = lambda: None
    ) -> None:
        self.shown = Meter(known_after_s=_ANSWERED_AFTER_S)
        self.not_shown = 0
        self.encode_times = Timings()
        self.wire_times = Timings()
        self.draw_times = Timings()
        self.latencies = Timings()
        self._front_end = front_end
        self._encoder = PairEncoder(width)
        self._board = board
        self._on_gone = on_gone
        self._waiting: Shot | None = None
        self._last: Shot | None = None
        self._has_shot = threading.Event()
        self._under_way: dict[int, tuple[float, float]] = {}
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="preview-sender", daemon=True)

    @property
    def last(self) -> Shot | None:
        """The newest shot offered."""
        return self._last

    def wait_for_first(self, timeout_s: float) -> Shot | None:
        """Wait for the first shot; ``None`` if none came in time."""
        self._has_shot.wait(timeout_s)
        return self._last

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, shot: Shot) -> None:
        """Send a shot as soon as the window allows; returns at once."""
        with self._changed:
            if self._is_closing:
                return
            self.not_shown += self._waiting is not None and self._waiting.due_s is not None
            self._waiting = self._last = shot
            self._changed.notify()
        self._has_shot.set()

    def again(self) -> None:
        """Send the last shot once more, for a new view that does not have it."""
        with self._changed:
            self._wait_again()
            self._changed.notify()

    def wake(self) -> None:
        """Check at once whether the window allows a shot."""
        with self._changed:
            self._changed.notify()

    def on_answer(self, answer: Mapping[str, Any]) -> None:
        """Take the answer to a shot: its ``number``, whether it was ``drawn``, ``draw_ms``, ``ago_ms``, ``glass_ms``.

        ``glass_ms`` is from the browser's camera to the canvas, null for another source.
        """
        with self._changed:
            due_s, sent_s = self._under_way.pop(int(answer["number"]), (0.0, 0.0))
            self.not_shown += bool(sent_s) and not answer["drawn"]
        if not sent_s or not answer["drawn"]:
            return
        draw_s, ago_s, glass_ms = answer["draw_ms"] / 1000, answer["ago_ms"] / 1000, answer["glass_ms"]
        drawn_s = time.monotonic() - ago_s
        self.shown.tick(drawn_s)
        self.draw_times.add(draw_s)
        self.wire_times.add(max(0.0, drawn_s - sent_s - draw_s))
        self.latencies.add(drawn_s - due_s if glass_ms is None else glass_ms / 1000)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread, wait for it, and release the pictures."""
        with self._changed:
            self._is_closing = True
            self._waiting = self._last = None
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_closing:
            turn = self._wait_for_turn()
            try:
                if turn is not None:
                    self._send(*turn)
                else:
                    self._tell_news()
            except Exception:
                logger.exception("a picture could not be sent")

    def _wait_for_turn(self) -> tuple[Shot, SendSlot] | None:
        """Wait until a shot may be sent; ``None`` if it is time to check for news."""
        until_s = time.monotonic() + NEWS_AFTER_S
        with self._changed:
            while not self._is_closing and (left_s := until_s - time.monotonic()) > 0:
                if self._front_end.ack_window.is_gone:
                    self._on_gone()
                    self._wait_again()
                if self._waiting is None:
                    self._changed.wait(left_s)
                elif (slot := self._front_end.ack_window.take()) is None:
                    self._changed.wait(_CHECK_S)
                else:
                    shot, self._waiting = self._waiting, None
                    return shot, slot
        return None

    def _wait_again(self) -> None:
        if self._waiting is None and self._last is not None:
            self._waiting = replace(self._last, due_s=None)

    def _tell_news(self) -> None:
        if self._is_closing or self._front_end.ack_window.is_gone:
            return
        status = self._board.news()
        if status is not None:
            self._front_end.tell({"kind": "status", "status": status})

    def _send(self, shot: Shot, slot: SendSlot) -> None:
        with self.encode_times.measured():
            pair = self._encoder.encode(shot.left, shot.right)
        if shot.due_s is not None:
            self._remember(slot.number, shot.due_s)
        content: Message = {
            "position": vars(shot.position) if shot.position else None,
            "captured_ms": shot.captured_ms,
            "status": self._board.take(),
        }
        self._front_end.show(slot, pair, content)

    def _remember(self, number: int, due_s: float) -> None:
        with self._changed:
            if len(self._under_way) >= _REMEMBERED:
                del self._under_way[min(self._under_way)]
            self._under_way[number] = due_s, time.monotonic()
