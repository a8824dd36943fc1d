"""What a preview takes it gives back when it is over, at 720p; nobody calls the garbage collector."""

from contextlib import aclosing
from fractions import Fraction

import av
import numpy as np
import pytest

from benchmarks.memory import check_held
from benchmarks.preview_memory import run_again, switch_sources

pytestmark = pytest.mark.slow

FRAMES = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip that the preview keeps in memory: 55 MB."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((720, 1280, 3), 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


async def test_a_preview_cell_that_runs_again_leaves_the_memory_where_it_was(clip):
    await assert_that_nothing_grows(run_again(clip, 30, frames=FRAMES))


async def test_a_source_that_is_switched_leaves_the_memory_where_it_was(clip):
    await assert_that_nothing_grows(switch_sources(clip, 20, frames=FRAMES))


async def assert_that_nothing_grows(repeated):
    async with aclosing(repeated):
        held = [one async for one in repeated]
    assert all(verdict.is_met for verdict in check_held("preview", held)), held
