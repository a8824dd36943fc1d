"""byoc-kit: from ``process_frame`` in a notebook to a container that serves live video on the Livepeer network.

What a notebook needs comes from here; each name is imported on first use, so that ``import byoc_kit`` stays light.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The threads of torch and of OpenCV spin while they wait for each other, which a decoder and an encoder beside them pay
# for. Without it, with both cores of a machine taken, a 720p tint went from 119 to 7.5 ms a frame (median), and the
# pictures of a preview from 3.1 to 2.5 ms of CPU. It counts where byoc_kit is imported before them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN", "0")

_HOME = {
    "AudioFrame": "byoc_kit.frames",
    "Capability": "byoc_kit.capability",
    "FrameProcessor": "byoc_kit.processor",
    "Hooks": "byoc_kit.processor",
    "Params": "byoc_kit.params",
    "VideoFrame": "byoc_kit.frames",
    "asset": "byoc_kit.assets",
    "preview": "byoc_kit.jupyter.preview",
    "publish": "byoc_kit.data",
    "ship": "byoc_kit.jupyter.ship",
}

__all__ = [
    "AudioFrame",
    "Capability",
    "FrameProcessor",
    "Hooks",
    "Params",
    "VideoFrame",
    "asset",
    "preview",
    "publish",
    "ship",
]

if TYPE_CHECKING:
    from byoc_kit.assets import asset
    from byoc_kit.capability import Capability
    from byoc_kit.data import publish
    from byoc_kit.frames import AudioFrame, VideoFrame
    from byoc_kit.jupyter.preview import preview
    from byoc_kit.jupyter.ship import ship
    from byoc_kit.params import Params
    from byoc_kit.processor import FrameProcessor, Hooks


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module 'byoc_kit' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
