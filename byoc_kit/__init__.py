"""byoc-kit: from ``process_frame`` in a notebook to a container that serves live video on the Livepeer network.

What a notebook needs comes from here; each name is imported on first use, so that ``import byoc_kit`` stays light.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

PYTHONS = ("3.11", "3.12", "3.13")
"""The versions of Python that byoc-kit runs on."""

PYTHON = "{}.{}".format(*sys.version_info)
"""This one's version. An image gets the one that exports its notebook: the lock has that environment's wheels."""

# pip refuses another Python by itself. A kernel can still find the package there: by a path, or in a wrong environment.
if PYTHON not in PYTHONS:
    _needed = f"{', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}"
    _msg = f"byoc-kit needs Python {_needed}, and this is {PYTHON}; choose a kernel with one that it runs on"
    raise ImportError(_msg)

# The threads of torch and OpenCV spin while they wait for each other, and take that time from the decoder and encoder.
# Without spinning, with both cores of a machine busy, a 720p tint went from 119 to 7.5 ms a frame (median), and the
# pictures of a preview from 3.1 to 2.5 ms of CPU. This works only if byoc_kit is imported before torch and OpenCV.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN", "0")

_HOME = {
    "AudioFrame": "byoc_kit.core.frames",
    "ByocKitError": "byoc_kit.errors",
    "Capability": "byoc_kit.core.capability",
    "FrameProcessor": "byoc_kit.core.processor",
    "Hooks": "byoc_kit.core.hooks",
    "Params": "byoc_kit.core.params",
    "ParamsError": "byoc_kit.core.params",
    "Stage": "byoc_kit.core.stage",
    "StreamServer": "byoc_kit.server.stream_server",
    "VideoFrame": "byoc_kit.core.frames",
    "asset": "byoc_kit.core.assets",
    "check": "byoc_kit.commands.check",
    "export": "byoc_kit.commands.export",
    "local_network": "byoc_kit.network.local_network",
    "preview": "byoc_kit.jupyter.preview",
    "publish": "byoc_kit.core.publish",
    "serve": "byoc_kit.commands.serve",
    "ship": "byoc_kit.jupyter.ship",
    "stream_state": "byoc_kit.core.stream_state",
    "verify": "byoc_kit.commands.verify",
}

__all__ = [
    "AudioFrame",
    "ByocKitError",
    "Capability",
    "FrameProcessor",
    "Hooks",
    "Params",
    "ParamsError",
    "Stage",
    "StreamServer",
    "VideoFrame",
    "asset",
    "check",
    "export",
    "local_network",
    "preview",
    "publish",
    "serve",
    "ship",
    "stream_state",
    "verify",
]

if TYPE_CHECKING:
    from byoc_kit.commands.check import check
    from byoc_kit.commands.export import export
    from byoc_kit.commands.serve import serve
    from byoc_kit.commands.verify import verify
    from byoc_kit.core.assets import asset
    from byoc_kit.core.capability import Capability
    from byoc_kit.core.frames import AudioFrame, VideoFrame
    from byoc_kit.core.hooks import Hooks
    from byoc_kit.core.params import Params, ParamsError
    from byoc_kit.core.processor import FrameProcessor
    from byoc_kit.core.publish import publish
    from byoc_kit.core.stage import Stage
    from byoc_kit.core.stream_state import stream_state
    from byoc_kit.errors import ByocKitError
    from byoc_kit.jupyter.preview import preview
    from byoc_kit.jupyter.ship import ship
    from byoc_kit.network.local_network import local_network
    from byoc_kit.server.stream_server import StreamServer


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module 'byoc_kit' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
