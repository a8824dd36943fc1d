"""What came in, whatever ``process_frame`` has put into the frame since."""

from __future__ import annotations

import numpy as np

from byoc_kit.frames import VideoFrame


def as_it_came(frame: VideoFrame) -> VideoFrame:
    """Return the frame as it was before ``process_frame`` got it; its pixels are not to be written to.

    A decoded one is converted anew when somebody asks for its pixels; of another one, the feed has kept them aside.
    """
    kept = frame.side_data.input
    return frame.replace(pixels=kept) if isinstance(kept, np.ndarray) else frame.original()
