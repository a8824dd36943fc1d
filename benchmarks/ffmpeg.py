"""The yardstick: the same file decoded to RGB and encoded as byoc-kit encodes, with no server around it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av

from benchmarks.child import running
from benchmarks.contenders import Reencoder
from benchmarks.measure import Seen, run_with, sample_memory
from benchmarks.source import RATE
from byoc_kit.media.codecs import MediaSettings, encoder_options

# Of byoc-kit's encoder, but for what only matters where key frames are asked for one by one.
X264 = {name: value for name, value in encoder_options("libx264", MediaSettings()).items() if name != "forced-idr"}
THREADS = "auto, by slices, in decoder and encoder"  # PyAV's default, so byoc-kit's
# The colour conversion of PyAV is bilinear; ffmpeg's own bicubic one would cost more.
_FILTER = "scale=flags=bilinear,format=rgb24,scale=flags=bilinear,format=yuv420p"


def describe() -> str:
    """Say what does it: the binary on the path with its version, else PyAV."""
    if shutil.which("ffmpeg") is None:
        libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
        return f"PyAV {av.__version__} in a process of its own (libavcodec {libavcodec}), as no ffmpeg is on the path"
    done = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:3]) or "ffmpeg of an unknown version"


def command(file: Path, *, is_live: bool) -> list[str]:
    """Return the command that decodes, converts and encodes a file, and throws the result away."""
    if shutil.which("ffmpeg") is None:
        return [sys.executable, "-m", "benchmarks.reencode", str(file), "live" if is_live else "flat-out"]
    pace = ["-re"] if is_live else []
    decoder = ["-threads", "0", "-thread_type", "slice", "-i", str(file), "-vf", _FILTER]
    encoder = ["-c:v", "libx264", *(word for name, value in X264.items() for word in (f"-{name}", value))]
    sink = ["-threads", "0", "-g", str(RATE), "-f", "mpegts", "-y", os.devnull]
    return ["ffmpeg", "-nostdin", "-v", "error", *pace, *decoder, *encoder, *sink]


async def through_ffmpeg(contender: Reencoder, file: Path, frames: int, folder: Path) -> Seen:
    """Run it over the file; its CPU time is that of the whole process."""
    seen = Seen(frames)
    line = command(file, is_live=contender.is_live)
    # Not launched: that would be in its CPU time. It ends by itself.
    async with running(contender.title, line, folder / "ffmpeg.log", is_launched=False) as child:
        await run_with(child.process.ended(), sample_memory(child, seen))
        seen.cpu_s = child.cpu_s()
        if child.process.code:
            msg = "did not encode the clip"
            raise child.failure(msg)
    return seen
