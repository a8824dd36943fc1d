import numpy as np

from byoc_kit.verification.compare import compare_replays


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
