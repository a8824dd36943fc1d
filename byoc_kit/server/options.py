"""pytrickle's options of ``StreamServer``: honoured, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from byoc_kit.errors import ByocKitError

_WITHOUT_EFFECT = {
    "health_check_interval": "the health is looked at when it is asked for",
    "publisher_timeout": "a channel is given up after 20 s of failures",
    "subscriber_timeout": "a channel may be quiet for any time, and is given up after 20 s of failures",
    "frame_skip_config": "frames are dropped where the model is behind; clients limit them by max_framerate",
    "overlay_config": "nothing is drawn over the video; a stream that starts while the model loads is refused",
}


class OptionError(ByocKitError):
    """An option of ``StreamServer`` that this one cannot honour."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise :class:`OptionError` naming the first option that would have no effect."""
    for name, why in _WITHOUT_EFFECT.items():
        if options.get(name) is not None:
            msg = f"StreamServer takes no {name}: {why}; leave it out"
            raise OptionError(msg)
    if options.get("cors_config") and find_spec("aiohttp_cors") is None:
        msg = "StreamServer needs aiohttp-cors for cors_config; install it with pip install aiohttp-cors"
        raise OptionError(msg)
