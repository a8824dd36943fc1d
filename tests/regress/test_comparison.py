import json
from dataclasses import replace

import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.regress import Golden, Picture, RegressionError, compare
from byoc_kit.regress.comparison import MIME_TYPE, Difference, draw


@pytest.fixture
def golden():
    pictures = {n: np.full((32, 64, 3), 100 + n, np.uint8) for n in (0, 12, 24)}
    return Golden("clip.mp4", "", 64, 12, {"gain": 1.4}, pictures, versions={"torch": "2.13.0"})


@pytest.fixture
def judge(golden):
    """Compare the golden frames, some of them changed, with themselves."""

    def judge(max_abs_diff=4, min_psnr_db=45.0, **changed):
        pixels = golden.pictures | {int(name[1:]): value for name, value in changed.items()}
        pictures = [Picture(number, value) for number, value in pixels.items()]
        return compare(pictures, golden, max_abs_diff=max_abs_diff, min_psnr_db=min_psnr_db)

    return judge


def test_equal_frames_are_met(judge):
    comparison = judge()
    assert comparison.failure is None
    assert comparison.mean_psnr_db == 100.0
    comparison.require_met()


def test_rounding_is_allowed_as_far_as_the_limits_say(judge, golden):
    changed = golden.pictures[12].copy()
    changed[3, 3, 1] -= 4
    assert judge(f12=changed).failure is None
    assert judge(f12=changed, max_abs_diff=3).failure.startswith(
        "frame 12 differs from its golden one by up to 4 of 255"
    )


def test_a_failure_is_one_sentence_that_names_the_worst_frame(judge, golden):
    comparison = judge(f12=golden.pictures[12] + 10, f24=golden.pictures[24] + 20)
    with pytest.raises(RegressionError) as caught:
        comparison.require_met()
    assert str(caught.value) == (
        "frame 24 differs from its golden one by up to 20 of 255 (allowed 4), and the mean PSNR is "
        f"{comparison.mean_psnr_db:.1f} dB (wanted 45); if that is intended, record the golden frames again"
    )


def test_frames_with_their_inputs_that_differ_name_what_a_memory_needs(golden):
    single = replace(golden, inputs={n: VideoFrame.from_pixels(one) for n, one in golden.pictures.items()})
    pictures = [Picture(number, pixels + 20) for number, pixels in golden.pictures.items()]
    with pytest.raises(RegressionError) as caught:
        compare(pictures, single, max_abs_diff=4, min_psnr_db=45.0).require_met()
    assert str(caught.value).endswith(
        "; where process_frame remembers frames, keep a stretch with p.save_golden(25, lead_in=50)"
    )


def test_a_difference_below_zero_is_no_small_one(judge, golden):
    assert judge(f0=golden.pictures[0] - 90).worst.max_abs_diff == 90


def test_the_mean_psnr_alone_may_fall_short(judge, golden):
    changed = {f"f{n}": pixels + 3 for n, pixels in golden.pictures.items()}
    assert judge(**changed, min_psnr_db=35.0).failure is None
    said = "the mean PSNR is 41.5 dB, less than the 45 dB wanted; frame 12 is the farthest from its golden one"
    assert judge(**changed).failure == said


def test_a_dropped_frame_is_named(judge):
    assert judge(f12=None).failure == "frame 12 was dropped by process_frame"


def test_a_frame_of_another_size_is_named(judge):
    assert judge(f12=np.zeros((16, 32, 3), np.uint8)).failure == "frame 12 is 32x16, and its golden one 64x32"


def test_a_frame_that_was_not_made_is_named(golden):
    comparison = compare([], golden, max_abs_diff=4, min_psnr_db=45.0)
    assert comparison.failure == "frame 0 is golden, and was not made now"


def test_it_is_shown_as_text_html_and_json(judge, golden):
    shown = judge(f12=golden.pictures[12] + 10, f24=None)._repr_mimebundle_(include=None, exclude=None)
    assert shown["text/plain"].splitlines()[0] == "frame 24 was dropped by process_frame"
    assert shown["text/html"].count("<tr>") == 4
    figures = json.loads(json.dumps(shown[MIME_TYPE], allow_nan=False))
    assert (figures["is_met"], figures["worst_frame"]) == (False, 24)
    assert [frame["max_abs_diff"] for frame in figures["frames"]] == [0, 10, 255]
    assert figures["recorded"] == {"clip": "clip.mp4", "params": {"gain": 1.4}, "versions": {"torch": "2.13.0"}}


def test_the_picture_shows_the_difference_amplified(judge, golden):
    picture = np.asarray(judge(f12=golden.pictures[12] + 10).picture())
    assert picture.shape[1:] == (3 * 64 + 4 * 8, 3)
    assert (picture[-8 - 32 : -8, -8 - 64 : -8] == 80).all()


def test_the_captions_stay_legible_in_a_cell_that_is_narrower_than_the_picture():
    large = np.zeros((720, 1280, 3), np.uint8)
    picture = draw(Difference(12, large, large, 0, 100.0))
    above = np.asarray(picture.convert("L"))[: picture.height - 720 - 8]
    rows = np.flatnonzero((above < 128).any(axis=1))
    assert (rows[-1] - rows[0]) * 900 / picture.width > 12  # pixels of the screen, from the top of f to the foot of g


def test_the_captions_keep_a_margin(judge, golden):
    picture = np.asarray(judge(f12=golden.pictures[12] + 10).picture())
    assert (picture[:, :8] == 255).all()
    assert (picture[:8] == 255).all()


@pytest.mark.parametrize("now", [None, np.zeros((16, 32, 3), np.uint8)])
def test_a_lost_frame_has_a_picture_too(judge, now):
    assert judge(f12=now).picture().width == 3 * 64 + 4 * 8


def test_pictures_of_several_sizes_are_compared(golden):
    random = np.random.default_rng(3)
    shapes = [(32, 64, 3), (16, 32, 3), (1, 1, 3), (33, 65, 3), (16, 32, 3)]
    pictures = {n: random.integers(0, 240, shape, np.uint8) for n, shape in enumerate(shapes)}
    kept = replace(golden, pictures=pictures)
    now = [Picture(n, pixels + (n == 4)) for n, pixels in pictures.items()]
    comparison = compare(now, kept, max_abs_diff=1, min_psnr_db=45)
    assert comparison.failure is None
    assert [d.max_abs_diff for d in comparison.differences] == [0, 0, 0, 0, 1]
    assert comparison.worst.number == 4


def test_what_a_notebook_prints_of_them_is_short(judge, golden):
    comparison = judge(f12=None)
    shown = [golden, comparison, comparison.worst, comparison.differences[0], Picture(3, golden.pictures[0])]
    assert [repr(each) for each in shown] == [
        "<Golden: 3 pictures of clip.mp4, 64x32, params {'gain': 1.4}>",
        "<Comparison: frame 12 was dropped by process_frame>",
        "<Difference: frame 12 was dropped by process_frame>",
        "<Difference: frame 0 differs by up to 0 of 255, PSNR 100.0 dB>",
        "<Picture: frame 3, 64x32>",
    ]
