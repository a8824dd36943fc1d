import numpy as np
import pytest

from byoc_kit.media.paced_clip import live_clip
from byoc_kit.verification.compare import compare_replays, compare_streamed
from byoc_kit.verification.result import Streamed
from byoc_kit.verification.stream_clip import Received
from byoc_kit.verification.target import Where

KEPT = tuple(range(10))


@pytest.fixture
def compared(small_clip):
    """Judge the small clip itself as what came back, against what a replay made of it."""

    def run(truth, kept=KEPT):
        clip = live_clip(small_clip)
        streamed = Streamed(Where())
        arrived_s = {pts: 5.0 + due_s + 0.01 for pts, due_s in clip.picture_times_s.items()}
        compare_streamed(streamed, clip, Received(5.0, bytearray(clip.data), arrived_s), truth, kept)
        return streamed

    return run


def test_frames_are_matched_by_their_time_and_those_kept_are_compared(compared, replayed):
    streamed = compared(replayed(lambda frame: frame, kept=(0, 4, 9)), kept=(0, 4, 9))
    assert len(streamed.received) == len(streamed.frames) == 10
    assert [number for number, frame in enumerate(streamed.frames) if frame.quality] == [0, 4, 9]
    assert streamed.mean_psnr_db > 50
    assert round(streamed.latency_ms()["p50"]) == 10
    assert [picture.number for picture in streamed.pictures] == [0, 4, 9]


def test_frames_that_are_to_be_dropped_are_not_compared(compared, replayed):
    numbers = iter(range(10))
    streamed = compared(replayed(lambda frame: frame if next(numbers) % 2 else None))
    assert len(streamed.wanted) == len(streamed.received) == 5
    assert sum(frame.quality is not None for frame in streamed.frames) == 5


def test_frames_of_another_size_count_nothing_and_are_said(compared, replayed):
    streamed = compared(replayed(lambda frame: frame.pixels.repeat(2, 0)))
    assert streamed.misfit == "frame 0 came back 64x48, not 64x96"
    assert streamed.mean_psnr_db == 0


def test_sizes_that_change_in_mid_stream_are_compared_each(compared, replayed):
    numbers = iter(range(10))
    streamed = compared(replayed(lambda frame: frame.pixels if next(numbers) < 5 else frame.pixels.repeat(2, 1)))
    assert sum(frame.quality.psnr_db > 50 for frame in streamed.frames) == 5


def test_without_a_truth_nothing_is_compared(compared):
    streamed = compared(None)
    assert len(streamed.received) == 10
    assert streamed.pictures == []


def with_state(first):
    """Return a hook that shows in each frame the one before."""
    last = [first]

    def process_frame(frame):
        before, last[0] = last[0], frame.pixels[0, 0, 0]
        return np.full((48, 64, 3), before, np.uint8)

    return process_frame


def plus(by, *, at=()):
    """Return a hook that is so much brighter at some frames."""
    seen = []

    def process_frame(frame):
        seen.append(frame)
        return frame.pixels // 2 + np.uint8(by if len(seen) - 1 in at else 0)

    return process_frame


def test_equal_replays_are_equal(replayed):
    found = compare_replays(replayed(plus(0), "a"), replayed(plus(0), "b"))
    assert (found.max_abs_diff, found.text) == (0, "")
    assert found.is_within(0)


def test_the_worst_frame_is_named(replayed):
    found = compare_replays(replayed(plus(0), "a"), replayed(plus(13, at=(4, 8)), "b"))
    assert (found.max_abs_diff, found.text) == (13, "frame 4: up to 13 of 255; 2 of 10 frames differ")
    assert not found.is_within(12)
    assert found.is_within(13)


def test_a_frame_that_was_not_kept_is_compared_as_well(replayed):
    found = compare_replays(replayed(plus(0), "a", kept=(0, 9)), replayed(plus(13, at=(4,)), "b", kept=(0, 9)))
    assert found.text == "frame 4 differs"
    assert not found.is_within(0)


def test_a_difference_of_the_first_frames_alone_hints_at_state(replayed):
    found = compare_replays(replayed(with_state(0), "a"), replayed(with_state(200), "b"))
    assert found.text == (
        "frame 0: up to 200 of 255, the first ones: does on_stream_start reset what cells before have left?"
    )


def test_another_outcome_or_size_is_no_likeness(replayed):
    def drop(frame):
        return None

    def fail(frame):
        raise ValueError("no")

    whole = replayed(plus(0), "a")
    found = compare_replays(whole, replayed(drop, "b"))
    assert found.text == "frame 0 is dropped, in the notebook it is 64x48"
    assert not found.is_within(255)
    assert compare_replays(replayed(drop, "a"), replayed(drop, "b")).is_within(0)
    assert compare_replays(whole, replayed(fail, "b")).text == (
        "frame 0 raises ValueError: no (here), in the notebook it is 64x48"
    )
    assert compare_replays(replayed(fail, "a"), replayed(fail, "b")).is_within(0)
    half = replayed(lambda frame: frame.pixels[:24], "b")
    assert compare_replays(whole, half).text == "frame 0 is 64x24, in the notebook it is 64x48"
