"""``python -m benchmarks.reencode FILE PACE``: what the ffmpeg binary would do, through PyAV."""

from __future__ import annotations

import sys
import time
from typing import cast

import av
from av.video.stream import VideoStream

from benchmarks.source import RATE
from byoc_kit.media.codecs import MediaSettings, encoder_options


def _reencode(path: str, *, is_live: bool) -> None:
    started_s = time.monotonic()
    options = encoder_options("libx264", MediaSettings())
    with av.open(path) as source, av.open("/dev/null", mode="w", format="mpegts") as target:
        video = cast("VideoStream", target.add_stream("libx264", rate=RATE, options=options))
        video.codec_context.gop_size = RATE
        for number, decoded in enumerate(source.decode(video=0)):
            if is_live:
                time.sleep(max(0.0, started_s + number / RATE - time.monotonic()))
            video.width, video.height, video.pix_fmt = decoded.width, decoded.height, "yuv420p"
            picture = decoded.reformat(format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = decoded.pts, decoded.time_base
            target.mux(video.encode(picture))
        target.mux(video.encode(None))


if __name__ == "__main__":
    _reencode(sys.argv[1], is_live=sys.argv[2] == "live")
