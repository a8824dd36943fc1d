"""Segments in memory, and streams in which sound or pictures come and go."""

from collections import Counter
from fractions import Fraction

import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.media.ts_muxer import Continuity

FPS, PART_S = 25, 2
BOTH, VIDEO, SOUND = {"video", "sound"}, {"video"}, {"sound"}


class Segments:
    """Takes segments; ``all`` has them."""

    def __init__(self):
        self.all = []

    def begin_segment(self):
        self.all.append(b"")

    def write(self, data):
        self.all[-1] += data

    @property
    def whole(self):
        return b"".join(self.all)


def written(sound, *parts, late_pictures=0):
    """Write parts of two seconds one after the other, each of video, sound or both, as a pipeline does.

    In each part the first ``late_pictures`` come behind the sound that belongs between them.
    """
    stream, packets = sound
    segments, continuity, given = Segments(), Continuity(), Counter()
    for number, part in enumerate(parts):
        begin_s, end_s = number * PART_S, (number + 1) * PART_S
        items = []
        if "video" in part:
            items += [(Fraction(frame, FPS), frame) for frame in range(begin_s * FPS, end_s * FPS)]
            first = [Fraction(begin_s * FPS + late_pictures, FPS)] * late_pictures
            items[:late_pictures] = [(time_s, frame) for time_s, (_, frame) in zip(first, items, strict=False)]
        if "sound" in part:
            times = [(packet.dts * packet.time_base, packet) for packet in packets]
            items += [(time_s, packet) for time_s, packet in times if begin_s <= time_s < end_s]
        options = {"audio": stream if "sound" in part else None, "video": "video" in part}
        settings = MediaSettings(gop_s=1.0)
        with SegmentWriter(segments, settings=settings, continuity=continuity, **options) as writer:
            for _, item in sorted(items, key=lambda item: (item[0], isinstance(item[1], int))):
                given[type(item) is int] += 1
                if isinstance(item, int):
                    pixels = np.full((48, 64, 3), item % 256, np.uint8)
                    pts = round(Fraction(item, FPS) / TIME_BASE)
                    writer.write_frame(VideoFrame.from_pixels(pixels, pts=pts, time_base=TIME_BASE))
                else:
                    writer.write_audio(item)
    return segments, given[True], given[False]
