from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params, ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.regress import (
    Golden,
    RegressionError,
    compare,
    load_golden,
    process_clip,
    process_inputs,
    save_golden,
)


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


def test_the_stream_ends_also_where_a_frame_fails(short_clip):
    seen = []
    with pytest.raises(RegressionError, match="ZeroDivisionError"):
        process(short_clip, process_frame=lambda frame: 1 / 0, on_stream_stop=lambda: seen.append("stop"))
    assert seen == ["stop"]


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


@pytest.fixture
def trail():
    """An effect that remembers: half of the frame, half of what it made before."""

    def make():
        last = []

        def process_frame(frame):
            mixed = frame.pixels // 2 + (last[0] // 2 if last else 0)
            frame.pixels[:] = 0  # what a hook writes into its frame is not in the golden one
            last[:] = [mixed]
            return frame.replace(pixels=mixed)

        return FrameProcessor(Hooks(process_frame=process_frame))

    return make


@pytest.fixture
def stretch(trail, tmp_path):
    """Five frames and what the trail made of the last three of them, from a folder."""
    inputs = {
        n: VideoFrame.from_pixels(np.full((8, 8, 3), 40 * n + 40, np.uint8), n, Fraction(1, 25)) for n in range(5)
    }
    processor = trail()
    made = {n: processor.process(VideoFrame.from_pixels(f.pixels.copy()), Params()).pixels for n, f in inputs.items()}
    kept = {n: pixels for n, pixels in made.items() if n >= 2}
    save_golden(Golden("webcam", "", 8, 1, {}, kept, inputs), tmp_path / "golden")
    return load_golden(tmp_path / "golden")


def test_kept_inputs_make_the_golden_frames_again_without_a_clip(stretch, trail):
    pictures = process_inputs(trail(), stretch)
    assert [picture.number for picture in pictures] == [2, 3, 4]
    assert compare(pictures, stretch, max_abs_diff=0, min_psnr_db=100).failure is None
    again = process_inputs(trail(), stretch)
    assert compare(again, stretch, max_abs_diff=0, min_psnr_db=100).failure is None


def test_a_changed_effect_does_not_meet_them(stretch):
    same = FrameProcessor(Hooks(process_frame=lambda frame: frame))
    comparison = compare(process_inputs(same, stretch), stretch, max_abs_diff=4, min_psnr_db=45)
    assert comparison.failure.startswith("frame 4 differs from its golden one")


def test_kept_inputs_bring_their_times_and_params(stretch):
    class Tint(Params):
        gain: float = 1

    seen = []

    def process_frame(frame, params: Tint):
        seen.append((frame.pts, frame.time_base, params.gain))
        return frame

    stretch = replace(stretch, params={"gain": 3})
    process_inputs(FrameProcessor(Hooks.of(process_frame)), stretch)
    assert seen == [(n, Fraction(1, 25), 3) for n in range(5)]
    process_inputs(FrameProcessor(Hooks.of(process_frame)), stretch, params={"gain": 2})
    assert seen[-1] == (4, Fraction(1, 25), 2)


def test_golden_frames_of_a_clip_have_no_inputs_to_process(trail):
    golden = Golden("clip.mp4", "", 8, 1, {}, {0: np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(RegressionError, match=r"were made of clip\.mp4; use byoc_kit\.regress\.process_clip with it"):
        process_inputs(trail(), golden)


def test_a_wrong_result_is_reported_with_the_line_of_its_return():
    def process_frame(frame):
        wrong = frame.pixels / 255
        return wrong  # noqa: RET504  # the line that is named

    black = np.zeros((8, 8, 3), np.uint8)
    line = process_frame.__code__.co_firstlineno + 2
    golden = Golden("x", "", 8, 1, {}, {0: black}, {0: VideoFrame.from_pixels(black)})
    with pytest.raises(RegressionError, match=rf"^test_process.py, line {line}: FrameError: pixels must be uint8"):
        process_inputs(FrameProcessor(Hooks.of(process_frame)), golden)
