"""From pixels to the bytes that a browser shows."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from byoc_kit.frames import Pixels, VideoFrame
from byoc_kit.stage import Processed

QUALITY = 80
POSTER_LIMIT_BYTES = 300_000
_POSTER_GAP = 8


def shrink(pixels: Pixels, width: int) -> Image.Image:
    """Scale a picture down to ``width`` pixels a row; a narrower one stays as it is."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.width <= width:
        return image
    height = max(1, round(image.height * width / image.width))
    # The gap makes Pillow average whole blocks first: 1.3 ms instead of 6.7 from 720p to 360p.
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0)


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    """Encode with 4:2:0 colour: 0.8 ms at 360p."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def pair(result: Processed, width: int) -> tuple[bytes, bytes]:
    """Encode a frame's input and its output; the second is empty where ``process_frame`` dropped the frame."""
    output = b"" if result.output is None else jpeg(shrink(result.output.pixels, width))
    return jpeg(shrink(input_pixels(result.source), width)), output


def input_pixels(frame: VideoFrame) -> Pixels:
    """Return a frame's pixels as they were before ``process_frame`` may have put another tensor into it."""
    kept = frame.side_data.input
    return kept if isinstance(kept, np.ndarray) else frame.pixels


def poster(before: Pixels, after: Pixels, width: int) -> bytes:
    """Encode input and output side by side, in less than 300 kB."""
    left, right = shrink(before, width), shrink(after, width)
    size = (left.width + _POSTER_GAP + right.width, max(left.height, right.height))
    sheet = Image.new("RGB", size, "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + _POSTER_GAP, 0))
    while len(data := jpeg(sheet)) >= POSTER_LIMIT_BYTES:
        sheet = sheet.reduce(2)
    return data
