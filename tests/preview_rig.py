"""A process_frame with a parameter and one without, for tests of the preview."""

import threading

import numpy as np
from pydantic import Field

import byoc_kit
from byoc_kit import VideoFrame


class Params(byoc_kit.Params):
    level: int = Field(200, ge=0, le=250)
    word: str = Field("ok", max_length=5)


def invert(frame: VideoFrame) -> np.ndarray:
    return 255 - frame.pixels


def fill(frame: VideoFrame, params: Params) -> np.ndarray:
    return np.full_like(frame.pixels, params.level)


def preview_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("preview-")]
