import pytest

from byoc_kit.media.paced_clip import live_clip
from byoc_kit.verification.compare import compare_streamed
from byoc_kit.verification.stream_clip import Received
from byoc_kit.verification.streamed import Streamed
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
