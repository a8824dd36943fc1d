"""A clip of ten small frames, bundles of a few cells, and what becomes of the clip in them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from notebook_rig import CAPABILITY, plan_file, write_notebook

from byoc_kit.bundle.plan import write
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.verification.replay import Task, replay

__all__ = ["write_notebook"]

FRAMES = 10


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory):
    """Ten frames of 64x48, each brighter than the one before."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(FRAMES):
            pixels = np.full((48, 64, 3), 20 * i + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def make_task(small_clip, tmp_path):
    """Make a task over the small clip, in a folder of its own."""

    def make(name="task", *, kept=tuple(range(FRAMES)), **params):
        file = tmp_path / "clip.ts"
        if not file.exists():
            file.write_bytes(live_clip(small_clip).data)
        return Task(file, params, kept, tmp_path / name)

    return make


@pytest.fixture
def replayed(make_task):
    """Run functions over the small clip, here."""

    def run(process_frame, name="task", *, params=None, kept=tuple(range(FRAMES)), **hooks):
        task = make_task(name, kept=kept, **(params or {}))
        task.save()
        return replay(FrameProcessor(Hooks.of(process_frame, **hooks)), task, lambda *_: "here")

    return run


@pytest.fixture
def export(write_notebook, tmp_path):
    """Export a notebook of tagged sources, and untagged ones after them."""

    def export(*sources, untagged=()):
        pairs = [("byoc", source) for source in (CAPABILITY, *sources)] + [("", source) for source in untagged]
        write(plan_file(write_notebook(cells=pairs), tmp_path / "bundle"))
        return read_bundle(tmp_path / "bundle")

    return export
