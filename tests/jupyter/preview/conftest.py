import threading
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from lab_rig import browser, lab, page
from PIL import Image

from byoc_kit.jupyter.preview.front_end import Pictures
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.live_preview import LivePreview

__all__ = ["browser", "lab", "page"]

DEADLINE_S = 20


@pytest.fixture
def clip(tmp_path):
    """Ten frames of 96x64, each brighter than the one before."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(10):
            pixels = np.full((64, 96, 3), 20 * i + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def shown(message):
    """Return both pictures of a pair; nothing stands for one that is not there."""
    pictures = [np.asarray(Image.open(BytesIO(data))) for data in message[1]]
    return [*pictures, None][:2]


def means(message):
    """Return the mean brightness of both pictures of a pair; nothing stands for a picture that is not there."""
    return [None if picture is None else float(picture.mean()) for picture in shown(message)]


class FrontEnd:
    """Stands for the browser: keeps what is sent, and acknowledges pictures while ``answers``."""

    def __init__(self):
        self.sent = []
        self.answers = True
        self._changed = threading.Condition()

    def take(self, pictures, content, buffers):
        with self._changed:
            self.sent.append((content, buffers or []))
            self._changed.notify_all()
        if self.answers and content["kind"] == "pair":
            self.ack(pictures, content["number"])

    def ack(self, pictures, number, *, is_drawn=True):
        answer = {"number": number, "drawn": is_drawn, "draw_ms": 1.5, "glass_ms": None, "ago_ms": 0.5}
        pictures._handle_custom_msg({"kind": "ack", "pictures": [answer]}, [])

    def command(self, live, name, value=None):
        """Do as a person who uses the controls."""
        live._pictures._handle_custom_msg({"kind": "command", "name": name, "value": value}, [])

    def wait_for(self, claim):
        """Wait until ``claim`` holds for a message's content, from the first on; return that message."""
        return self._wait(lambda message: claim(message[0]))

    def wait_for_status(self, claim):
        """Wait until ``claim`` holds for a status, from the first on; return that."""
        message = self._wait(lambda message: message[0].get("status") and claim(message[0]["status"]))
        return message[0]["status"]

    def wait_for_notice(self):
        """Wait until something else is said than that there is no picture yet; return that."""
        waiting = "", "Waiting for the first picture…"
        return self.wait_for_status(lambda status: status["notice"] not in waiting)["notice"]

    def wait_for_frame(self, number):
        """Wait until the pair of the frame of that number was sent."""
        return self.wait_for(
            lambda content: content["kind"] == "pair" and (content["position"] or {}).get("number") == number
        )

    def wait_for_number(self, number):
        """Wait until a pair of at least that number was sent."""
        return self.wait_for(lambda content: content.get("number", -1) >= number)

    def wait_for_pair(self, claim):
        """Wait until ``claim`` holds for the mean brightness of a pair's input and output; return that pair."""
        return self._wait(lambda message: message[0]["kind"] == "pair" and claim(*means(message)))

    def _wait(self, claim):
        found = []

        def is_there():
            found[:] = filter(claim, self.sent)
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(is_there, DEADLINE_S), "no such message came"
        return found[0]

    @property
    def pairs(self):
        return [message for message in self.sent if message[0]["kind"] == "pair"]


@pytest.fixture
def front_end(monkeypatch):
    front_end = FrontEnd()
    monkeypatch.setattr(Pictures, "send", lambda self, content, buffers=None: front_end.take(self, content, buffers))
    return front_end


@pytest.fixture(name="shown")
def shown_in_pair():
    """Take a pair apart: :func:`shown`."""
    return shown


@pytest.fixture(name="means")
def means_of_pair():
    """Read a pair: :func:`means`."""
    return means


@pytest.fixture
def make_live(clip, front_end):
    """Make previews that end with the test."""
    made = []

    def make(process_frame, source=clip, **options):
        version = Version(process_frame)
        if "compare" in options:
            options["compare"] = version.with_function(options["compare"])
        live = LivePreview(version, source, **{"width": 640, "fps": 200, **options})
        live._sender.start()
        made.append(live)
        return live

    yield make
    for live in made:
        live.close()


@pytest.fixture
def quick_news(monkeypatch):
    """Have what changes told sooner, and the rates be of a shorter time."""
    monkeypatch.setattr("byoc_kit.jupyter.preview.sender.NEWS_AFTER_S", 0.05)
    monkeypatch.setattr("byoc_kit.jupyter.preview.sender._ANSWERED_AFTER_S", 0.1)
    monkeypatch.setattr("byoc_kit.jupyter.preview.stats._WINDOW_S", 0.2)
