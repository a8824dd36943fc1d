"""Pays the first frame's one-time costs before the first stream."""

from __future__ import annotations

import numpy as np

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.media.codecs import MediaSettings, choose_decoder
from byoc_kit.media.encode import SegmentWriter

_SIZE = (720, 1280)
_FRAMES = 3


def warm_up(settings: MediaSettings) -> None:
    """Convert black frames to tensors and back, and encode them, so that threads and code are there before a stream.

    The decoder's hardware is opened too. If the first stream waited for it, it would then skip pictures to catch up.
    The notebook's own functions are not called, because they may remember what they see.
    """
    choose_decoder(settings.decoder)
    with SegmentWriter(_Nowhere(), settings=settings) as writer:
        for number in range(_FRAMES):
            frame = VideoFrame.from_pixels(np.zeros((*_SIZE, 3), np.uint8), pts=number * 3000)
            processed = as_frame(frame.tensor * 1.0, frame)
            if processed is not None:
                writer.write_frame(processed)


class _Nowhere:
    """Takes segments and drops them."""

    def begin_segment(self) -> None:
        pass

    def write(self, _: bytes, /) -> None:
        pass
