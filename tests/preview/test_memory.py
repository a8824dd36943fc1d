"""What a preview takes it gives back when it is over, at 720p; nobody calls the garbage collector."""

from fractions import Fraction
from statistics import fmean

import av
import numpy as np
import pytest

from byoc_kit.bench.preview_memory import run_again, switch_sources

FRAMES = 40


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips that the preview keeps in memory: 55 MB each."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / name) for name in ("a.mp4", "b.mp4")]


def write_clip(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((720, 1280, 3), 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def assert_flat_after_the_fifth(memory_mb):
    """Compare means of five: how much of its work a preview has in memory at the moment differs."""
    assert fmean(memory_mb[-5:]) <= 1.05 * fmean(memory_mb[4:9]), [round(mb) for mb in memory_mb]


async def test_a_preview_cell_that_runs_again_leaves_the_memory_where_it_was(clips):
    assert_flat_after_the_fifth(await run_again(clips[0], times=30, frames=FRAMES))


async def test_a_source_that_is_switched_leaves_the_memory_where_it_was(clips):
    assert_flat_after_the_fifth(await switch_sources(clips, times=20, frames=FRAMES))
