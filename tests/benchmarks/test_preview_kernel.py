import pytest

from benchmarks.preview_kernel import Repeated
from byoc_kit.media.clip import Clip


def test_a_clip_source_that_is_repeated_goes_on_with_its_first_frame(clip):
    once = Clip(clip)
    thrice = Repeated(once, 3)
    frames = [frame.pts for frame in once.frames()]
    assert thrice.count == 3 * len(frames)
    assert [frame.pts for frame in thrice.frames()] == 3 * frames
    assert [frame.pts for frame in thrice.frames(2 * len(frames) - 1)] == [frames[-1], *frames]


def test_the_time_of_a_repeated_clip_source_goes_on(clip):
    once = Clip(clip)
    twice = Repeated(once, 2)
    length_s = once.time_s(once.count)
    assert twice.time_s(once.count + 1) == pytest.approx(length_s + once.time_s(1))
    assert twice.time_s(twice.count) == pytest.approx(2 * length_s)
