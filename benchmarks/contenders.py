"""Who is measured, with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.source import HEIGHT, RATE, WIDTH
from byoc_kit.errors import ByocKitError

# A queue that grows without bound shows after some seconds, not at once.
SETTLED_S = 12.0


@dataclass(frozen=True)
class LoopBack:
    """Publisher and reader on one channel: what is left of a latency when there is nothing between."""

    key: str
    title: str


@dataclass(frozen=True)
class Server:
    """A stream server in a process of its own, ``python -m MODULE PORT JOB``, whose streams start with ``params``.

    ``settled_s``: its latency is that of the pictures sent from then on. ``with_audio``: its input has sound.
    """

    key: str
    title: str
    module: str
    job: str
    params: Mapping[str, int] | None = None
    settled_s: float = 0.0
    with_audio: bool = False


@dataclass(frozen=True)
class Reencoder:
    """Decoding to RGB and encoding with nothing around it; ``is_live`` at the pace of the clip, else flat out."""

    key: str
    title: str
    is_live: bool


Contender = LoopBack | Server | Reencoder

_OURS, _STOCK = "benchmarks.ours", "benchmarks.stock"
# Stock pytrickle crops to 512x512 at 24 fps unless told; byoc-kit leaves both as they come.
_STOCK_PARAMS = {"width": WIDTH, "height": HEIGHT, "max_framerate": RATE}

LOOP_BACK = LoopBack("loop-back", "loop-back, nothing between")
STOCK = Server("stock", "stock pytrickle", _STOCK, "pass", _STOCK_PARAMS)
OURS = Server("byoc-kit", "byoc-kit", _OURS, "pass")
OURS_AUDIO = Server("byoc-kit-sound", "byoc-kit, with sound", _OURS, "pass", with_audio=True)
OURS_PIXELS = Server("byoc-kit-pixels", "byoc-kit, pixels read", _OURS, "pixels")
OURS_WRITTEN = Server("byoc-kit-written", "byoc-kit, pixels written", _OURS, "written")
OURS_TENSOR = Server("byoc-kit-tensor", "byoc-kit, tensor written", _OURS, "tensor")
FFMPEG = Reencoder("ffmpeg", "ffmpeg decode-rgb24-encode", is_live=True)
FFMPEG_FLAT_OUT = Reencoder("ffmpeg-flat-out", "the same, flat out", is_live=False)
STOCK_BLOCKING = Server("stock-blocking", "stock pytrickle, 100 ms a frame", _STOCK, "block", _STOCK_PARAMS, SETTLED_S)
OURS_BLOCKING = Server("byoc-kit-blocking", "byoc-kit, 100 ms a frame", _OURS, "block", settled_s=SETTLED_S)

ALL: tuple[Contender, ...] = (
    LOOP_BACK,
    STOCK,
    OURS,
    OURS_AUDIO,
    OURS_PIXELS,
    OURS_WRITTEN,
    OURS_TENSOR,
    FFMPEG,
    FFMPEG_FLAT_OUT,
    STOCK_BLOCKING,
    OURS_BLOCKING,
)


def choose(keys: Iterable[str]) -> list[Contender]:
    """Return the contenders of these keys in the usual order, all for none; raises ``ByocKitError``."""
    wanted = set(keys)
    if unknown := wanted - {contender.key for contender in ALL}:
        known = ", ".join(contender.key for contender in ALL)
        msg = f"there is no contender {min(unknown)}; there are {known}"
        raise ByocKitError(msg)
    return [contender for contender in ALL if contender.key in wanted or not wanted]
