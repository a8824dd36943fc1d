"""Pays the first frame's one-time costs before the first stream."""

from __future__ import annotations

import numpy as np

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.media.codecs import MediaSettings, choose_decoder
from byoc_kit.media.encode import SegmentWriter

_SIZE = (720, 1280)
_FRAMES = 3


def warm_up(settings: MediaSettings) -> None:
    """Take black frames to tensors, back, and through the encoder: threads start and code is loaded before a stream.

    The notebook's own functions are not called: they may remember what they see. The decoder's hardware is opened too:
    where the first stream waited for it, pictures would be left out to catch up.
    """
    choose_decoder(settings.decoder)
    with SegmentWriter(_Nowhere(), settings=settings) as writer:
        for number in range(_FRAMES):
            frame = VideoFrame.from_pixels(np.zeros((*_SIZE, 3), np.uint8), pts=number * 3000)
            processed = as_frame(frame.tensor * 1.0, frame)
            if processed is not None:
                writer.write_frame(processed)


class _Nowhere:
    """Takes segments and keeps nothing."""

    def begin_segment(self) -> None:
        pass

    def write(self, _: bytes, /) -> None:
        pass
