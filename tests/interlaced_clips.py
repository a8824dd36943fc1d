"""Interlaced video."""

import io
from fractions import Fraction

import av
import numpy as np

RATE = 25
SIZE = (96, 64)


def combed(number):
    """Return an interlaced picture: a bar that moves 8 pixels from its upper field to its lower one."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    for field in range(2):
        left = (16 * number + 8 * field) % (SIZE[0] - 16)
        pixels[field::2, left : left + 16] = 200
    return pixels


def interlaced_clip(pictures, *, format="matroska", interlaced=True):  # noqa: A002
    """Encode pictures as the two fields of each, or as they are; returns the bytes."""
    data = io.BytesIO()
    with av.open(data, "w", format=format) as container:
        stream = container.add_stream("mpeg2video", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 1
        if interlaced:
            stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        for number, pixels in enumerate(pictures):
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return data.getvalue()
