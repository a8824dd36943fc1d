from fractions import Fraction

import av
import numpy as np
import pytest

from byoc_kit.params import Params, ParamsError
from byoc_kit.processor import FrameProcessor, Hooks
from byoc_kit.regress import RegressionError, process_clip


@pytest.fixture
def short_clip(tmp_path):
    """Seven frames of 64x32."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for i in range(7):
            pixels = np.full((32, 64, 3), 20 * i + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def process(clip, *, every=3, params=None, **hooks):
    processor = FrameProcessor(Hooks(**hooks))
    return process_clip(processor, clip, params=params or {}, width=32, every=every)


def test_every_frame_is_processed_and_some_are_kept(short_clip):
    seen = []

    def process_frame(frame):
        seen.append(frame.width)
        return frame

    pictures = process(short_clip, process_frame=process_frame)
    assert seen == [32] * 7
    assert [picture.number for picture in pictures] == [0, 3, 6]
    assert pictures[0].pixels.shape == (16, 32, 3)


def test_the_other_hooks_run_around_the_frames(short_clip):
    seen = []

    class Tint(Params):
        gain: float = 1

    process(
        short_clip,
        params_type=Tint,
        params={"gain": 2},
        every=7,
        load_model=lambda: seen.append("load"),
        on_stream_start=lambda params: seen.append(params.gain),
        process_frame=lambda frame: frame,
        on_stream_stop=lambda: seen.append("stop"),
    )
    assert seen == ["load", 2, "stop"]


async def test_async_hooks_run_where_a_loop_runs_already(short_clip):
    async def process_frame(frame):
        return frame

    assert len(process(short_clip, process_frame=process_frame)) == 3


def test_a_dropped_frame_has_no_pixels(short_clip):
    assert [p.pixels for p in process(short_clip, process_frame=lambda frame: None)] == [None] * 3


def test_an_exception_is_named_by_its_line(short_clip):
    def process_frame(frame):
        return frame / 0

    with pytest.raises(RegressionError, match=r"^test_process\.py, line \d+: TypeError: .*; run the notebook"):
        process(short_clip, process_frame=process_frame)


def test_a_wrong_parameter_is_named(short_clip):
    with pytest.raises(ParamsError, match="gain: is no parameter of this model"):
        process(short_clip, process_frame=lambda frame: frame, params={"gain": 1})
