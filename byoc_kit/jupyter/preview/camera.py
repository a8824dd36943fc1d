"""The camera of the browser's machine. It sends JPEG pictures, as many as the kernel has time for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.jupyter.preview.pictures import pixels_of
from byoc_kit.media.demux import MediaError
from byoc_kit.sources.source import WEBCAM

# The page has one camera for all previews that ask for it in turn. Messages of an earlier turn are ignored.
_turns = itertools.count(1)
_MILLISECONDS = Fraction(1, 1000)

_REFUSALS = {
    "insecure": "the browser gives its camera only to pages from https or localhost: open JupyterLab through https, or "
    "through an SSH tunnel as http://localhost",
    "denied": "the browser was not allowed to use the camera: allow it in the page's site settings, then choose "
    f"{WEBCAM} again",
    "missing": f"the browser's machine has no camera: connect one, then choose {WEBCAM} again, or choose a clip",
    "ended": f"the browser's camera was switched off or pulled out; choose {WEBCAM} again, or a clip",
    "lost": f"the browser's camera could not be restarted; choose {WEBCAM} again, or a clip",
    "busy": f"another program uses the camera: close it, then choose {WEBCAM} again",
}
_OTHER = f"the browser's camera does not work: {{detail}}; reload the page, then choose {WEBCAM} again, or a clip"


class Camera:
    """A live source that the widget feeds: ``send`` gives it messages, ``receive`` takes its answers.

    The page stops the camera of ``before`` when it is asked for this one. If the browser then refuses, both have ended.
    If several pages show the same notebook, the first one that answers counts.
    """

    name = WEBCAM

    def __init__(self, send: Callable[[dict[str, Any]], None], *, before: Camera | None = None) -> None:
        self._send = send
        self._before = before
        self._page: Any = None
        self._turn = next(_turns)
        self._changed = threading.Condition()
        self._newest: tuple[bytes, int, Any] | None = None
        self._refusal = ""
        self._is_on = False
        self._is_closed = False

    def frames(self) -> Generator[VideoFrame]:
        """Yield pictures as they come. A picture's time is in milliseconds of the browser's clock.

        Raises ``MediaError`` if the browser refuses the camera.
        """
        self._is_on = True
        self.resume()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._refusal or self._is_closed)
                if self._is_closed:
                    return
                if self._refusal:
                    self._is_on = False
                    raise MediaError(self._refusal)
                assert self._newest is not None  # noqa: S101  # the wait ends with one of the three
                (data, captured_ms, page), self._newest = self._newest, None
            self._ask_for_more(page)
            pixels = pixels_of(data)
            if pixels is None:
                raise MediaError(_OTHER.format(detail="it sent something that is not a JPEG picture"))
            frame = VideoFrame.from_pixels(pixels, captured_ms, _MILLISECONDS)
            frame.side_data.captured_ms = captured_ms
            yield frame

    def resume(self) -> None:
        """Ask for the camera, or ask again after the page was reloaded."""
        if self._is_on and not self._is_closed:
            self._page = None
            self._send({"kind": "camera", "on": True, "turn": self._turn})

    def receive(self, content: dict[str, Any], data: bytes | None) -> None:
        """Take a message of the widget: a picture, or why there is none. A message of another turn is too late."""
        page = content.get("page")
        if content.get("turn") != self._turn or self._page not in (None, page):
            return
        self._page = page
        if data is None:
            reason = str(content.get("reason"))
            self._end(_REFUSALS.get(reason) or _OTHER.format(detail=content.get("detail") or "no reason was given"))
            return
        self._before = None  # the source that played until now is closed
        with self._changed:
            is_replacing = self._newest is not None
            self._newest = data, int(content["captured_ms"]), page
            self._changed.notify()
        if is_replacing:
            self._ask_for_more(page)

    def close(self) -> None:
        """Stop the camera."""
        with self._changed:
            self._is_closed = True
            self._newest = self._before = None
            self._changed.notify()
        if self._is_on:
            self._is_on = False
            self._send({"kind": "camera", "on": False, "turn": self._turn})

    def _end(self, refusal: str) -> None:
        with self._changed:
            self._refusal = refusal
            self._changed.notify()
        before, self._before = self._before, None
        if before is not None:
            before._end(_REFUSALS["lost"])  # noqa: SLF001  # another of this class

    def _ask_for_more(self, page: Any) -> None:
        self._send({"kind": "camera-more", "page": page})
