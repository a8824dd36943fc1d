"""From the worker thread to the front end: pictures as binary custom messages, one acknowledgement each.

Custom messages, not traits: ipywidgets holds a trait's change back until the kernel has answered the one before (19
instead of 64 pictures a second, same window).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ipywidgets import Widget

from byoc_kit.preview import kernel
from byoc_kit.preview.credit import Credit
from byoc_kit.preview.widget import Pictures

Message = dict[str, Any]


class Channel:
    """Sends pairs, and calls ``on_shown`` for each one drawn, ``on_ready`` for a new view."""

    def __init__(self, pictures: Pictures, *, on_shown: Callable[[], None], on_ready: Callable[[], None]) -> None:
        self.credit = Credit()
        self._pictures = pictures
        self._on_shown = on_shown
        self._on_ready = on_ready
        self._context: Context | None = None
        self._lock = threading.Lock()
        pictures.on_msg(self._receive)

    def show(self, number: int, before: bytes, after: bytes, status: Message) -> None:
        """Send a pair under a number that :attr:`credit` gave; one message and one buffer, so none runs ahead."""
        self._send({"kind": "pair", "number": number, "split": len(before), **status}, [before + after])

    def tell(self, status: Message) -> None:
        """Send a status without pictures; it needs no credit."""
        self._send({"kind": "status", **status})

    def _send(self, content: Message, buffers: list[bytes] | None = None) -> None:
        with self._lock:
            if self.credit.is_late:
                self._context = None  # its subshell may be gone
            if self._context is None:
                self._pictures.send(content, buffers)
                kernel.let_front_end_choose(self._pictures)
            else:
                self._context.copy().run(self._pictures.send, content, buffers)

    def _receive(self, _: Widget, content: Message, __: list[memoryview]) -> None:
        # Not the first message's context for good: that one comes before JupyterLab has its subshell.
        self._context = kernel.subshell_context() or self._context
        if content.get("kind") == "ready":
            self.credit.reset()
            self._on_ready()
        elif content.get("kind") == "ack":
            self.credit.ack(int(content["number"]))
            if content.get("drawn"):
                self._on_shown()
