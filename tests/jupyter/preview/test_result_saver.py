from fractions import Fraction

import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.result_saver import LONGEST, GoldenStretch
from byoc_kit.media.clip import read_clip
from byoc_kit.regress import RegressionError, compare, load_golden, process_inputs, save_golden, versions


class Tint(Params):
    gain: int = 2


def tint(frame, params: Tint):
    frame.pixels[..., 1] //= params.gain  # in place: the input must be kept all the same
    return frame


@pytest.fixture
def processor():
    return FrameProcessor(Hooks.of(tint))


@pytest.fixture
def play(processor, clip):
    """Let a stretch see the clip's first frames as the preview's worker does."""

    def play(stretch, frames=10, change_at=None, withheld=(), anew_at=10):
        for number, frame in zip(range(frames), read_clip(clip), strict=False):
            params = Tint(gain=3 if number == change_at else 2)
            given = frame.original()
            output = processor.process(given, params)
            made_by = tint if number < anew_at else lambda frame: frame
            stretch.add(given, None if number in withheld else output, params, made_by)
        return stretch

    return play


def test_a_stretch_is_saved_and_compared_without_the_clip(play, processor, tmp_path):
    stretch = play(GoldenStretch("clip.mp4", frames=3))
    assert stretch.is_full
    save_golden(stretch.golden(), tmp_path)
    golden = load_golden(tmp_path)
    assert (golden.clip, golden.clip_sha256, golden.width, golden.every) == ("clip.mp4", "", 96, 1)
    assert (golden.params, golden.versions) == ({"gain": 2}, versions())
    assert list(golden.inputs) == list(golden.pictures) == [0, 1, 2]
    assert compare(process_inputs(processor, golden), golden, max_abs_diff=0, min_psnr_db=100).failure is None
    other = process_inputs(processor, golden, params={"gain": 1})
    assert "differs from its golden one" in compare(other, golden, max_abs_diff=4, min_psnr_db=45).failure


def test_the_input_is_what_came_in(play, clip):
    golden = play(GoldenStretch("clip.mp4", frames=2)).golden()
    for frame, kept in zip(read_clip(clip), golden.inputs.values(), strict=False):
        assert (kept.pixels == frame.pixels).all()
        assert (kept.pts, kept.time_base) == (frame.pts, frame.time_base)


def test_pixels_that_the_feed_kept_aside_are_the_input():
    pixels = np.full((4, 6, 3), 90, np.uint8)
    given = VideoFrame.from_pixels(pixels.copy(), 7, Fraction(1, 25))
    stretch = GoldenStretch("pattern")
    stretch.add(given, tint(given, Tint()), Tint(), tint)
    golden = stretch.golden()
    assert (golden.inputs[0].pixels == 90).all()
    assert golden.inputs[0].pts == 7
    assert golden.pictures[0][0, 0].tolist() == [90, 45, 90]


def test_frames_that_lead_in_are_processed_and_not_compared(play):
    golden = play(GoldenStretch("clip.mp4", frames=2, lead_in=3)).golden()
    assert list(golden.inputs) == [0, 1, 2, 3, 4]
    assert list(golden.pictures) == [3, 4]


def test_a_withheld_frame_has_no_picture(play):
    golden = play(GoldenStretch("clip.mp4", frames=3), withheld={1}).golden()
    assert list(golden.inputs) == [0, 1, 2]
    assert list(golden.pictures) == [0, 2]


def test_nothing_that_came_out_is_one_sentence(play):
    for stretch in (GoldenStretch("clip.mp4"), play(GoldenStretch("clip.mp4"), withheld={0})):
        with pytest.raises(RegressionError, match="there is no output to save as golden; let process_frame return"):
            stretch.golden()


def test_parameters_that_changed_on_the_way_are_named(play):
    stretch = play(GoldenStretch("clip.mp4", frames=3), change_at=2)
    with pytest.raises(RegressionError, match="gain changed while golden frames were kept; leave the controls alone"):
        stretch.golden()


def test_a_function_that_was_defined_again_on_the_way_is_refused(play):
    stretch = play(GoldenStretch("clip.mp4", frames=3), anew_at=2)
    with pytest.raises(RegressionError, match="process_frame was defined anew while golden frames were kept; leave"):
        stretch.golden()


def test_frames_of_two_versions_of_a_function_do_not_join(play, tmp_path):
    save_golden(play(GoldenStretch("clip.mp4")).golden(), tmp_path)
    golden = load_golden(tmp_path)
    assert len(golden.with_more(play(GoldenStretch("clip.mp4")).golden()).pictures) == 2
    with pytest.raises(RegressionError, match="golden frames of two versions of process_frame cannot be in one"):
        golden.with_more(play(GoldenStretch("clip.mp4"), anew_at=0).golden())


@pytest.mark.parametrize("options", [{"frames": 0}, {"lead_in": -1}, {"frames": LONGEST, "lead_in": 1}])
def test_a_length_out_of_range_is_refused(options):
    with pytest.raises(ByocKitError, match="a golden stretch has 1 to 100 frames"):
        GoldenStretch("clip.mp4", **options)
