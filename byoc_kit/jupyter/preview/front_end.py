"""Sends from the kernel to the front end: the widget, and pictures as binary messages that the page acknowledges.

It uses custom messages, not traits: ipywidgets holds a trait's change back until the kernel has answered the one before
(19 instead of 64 pictures a second, with the same window).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import anywidget
from ipywidgets import Widget
from traitlets import Int

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.flow_control import AckWindow, SendSlot

Message = dict[str, Any]

_HERE = Path(__file__).parent
_SCRIPTS = ("elements.js", "pair.js", "view.js", "camera.js", "widget.js")
_STYLES = ("pair.css", "view.css")


class Pictures(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget is not checked
    """Draws what ``FrontEnd`` sends. The traits only reserve the space until the first picture."""

    # Several files are joined to one ES module: a widget's module has no address to import other modules from.
    _esm = "\n".join((_HERE / part).read_text() for part in _SCRIPTS)
    # The text, not the path: the object that anywidget makes of a path refers to each widget for ever.
    _css = "\n".join((_HERE / part).read_text() for part in _STYLES)
    width = Int(16).tag(sync=True)
    height = Int(9).tag(sync=True)


class FrontEnd:
    """Sends messages to the front end, takes its acknowledgements, and passes each of its messages to ``on_message``.

    ``on_message`` gets the content and the first buffer, if there is one. The kernel may call it on any thread.
    """

    def __init__(self, pictures: Pictures, on_message: Callable[[Message, bytes | None], None]) -> None:
        self.ack_window = AckWindow()
        self._pictures = pictures
        self._on_message = on_message
        self._context: Context | None = None
        self._lock = threading.Lock()
        pictures.on_msg(self._receive)

    def show(self, slot: SendSlot, pair: list[bytes], status: Message) -> None:
        """Send a pair in a slot that ``ack_window`` gave; one message has both pictures, so neither runs ahead."""
        content = {"kind": "pair", "number": slot.number, "asked": slot.is_asked}
        self._send({**content, **status}, pair)

    def tell(self, content: Message) -> None:
        """Send a message without pictures; it needs no slot."""
        self._send(content)

    def close(self) -> None:
        """Take no more messages."""
        self._pictures.on_msg(self._receive, remove=True)

    def _send(self, content: Message, buffers: list[bytes] | None = None) -> None:
        with self._lock:
            if self.ack_window.is_late:
                self._context = None  # its subshell may be gone
            if self._context is None:
                self._pictures.send(content, buffers)
                kernel.let_front_end_choose(self._pictures)
            else:
                self._context.copy().run(self._pictures.send, content, buffers)

    def _receive(self, _: Widget, content: Message, buffers: list[memoryview]) -> None:
        # Taken from each message, not only the first: the first comes before JupyterLab has its subshell.
        self._context = kernel.subshell_context() or self._context
        if content.get("kind") == "ready":
            self.ack_window.reset()
        elif content.get("kind") == "ack":
            newest = max(int(picture["number"]) for picture in content["pictures"])
            self.ack_window.ack(newest)
        self._on_message(content, bytes(buffers[0]) if buffers else None)
