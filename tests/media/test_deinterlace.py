import io
import os

import av
import numpy as np
import pytest
from interlaced_clips import combed, interlaced_clip

from byoc_kit.media.deinterlace import Deinterlacer, deinterlaced


def clip(pictures, *, interlaced):
    with av.open(io.BytesIO(interlaced_clip(pictures, interlaced=interlaced))) as container:
        return list(container.decode(video=0))


def combing(picture):
    """Return how much each row differs from both of its neighbours, which agree."""
    rows = picture.to_ndarray(format="gray").astype(int)
    return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()


@pytest.fixture(scope="module")
def interlaced():
    return clip([combed(number) for number in range(10)], interlaced=True)


def test_interlaced_pictures_lose_their_combs_and_keep_number_and_times(interlaced):
    assert all(picture.interlaced_frame for picture in interlaced)
    found = list(deinterlaced(interlaced))
    assert [(picture.pts, picture.time_base) for picture in found] == [
        (picture.pts, picture.time_base) for picture in interlaced
    ]
    assert not any(picture.interlaced_frame for picture in found)
    assert min(map(combing, interlaced)) > 4 * max(map(combing, found))


def test_progressive_pictures_go_through_untouched_and_at_once():
    deinterlacer = Deinterlacer()
    for picture in clip([combed(number) for number in range(3)], interlaced=False):
        assert deinterlacer.push(picture) == [picture]
    assert deinterlacer.flush() == []


def test_pictures_without_a_time_stay_in_order(interlaced):
    untimed = clip([combed(number) for number in range(4)], interlaced=True)
    for picture in untimed:
        picture.pts = None
    assert [picture.pts for picture in deinterlaced(untimed)] == [None] * 4


@pytest.mark.parametrize("count", [1, 2])
def test_few_pictures_come_out_too(interlaced, count):
    assert len(list(deinterlaced(interlaced[:count]))) == count


def test_another_size_gives_what_was_held_first(interlaced):
    smaller = [picture.reformat(width=48, height=32) for picture in interlaced[:2]]
    found = list(deinterlaced([*interlaced[:3], *smaller]))
    assert [picture.width for picture in found] == [96, 96, 96, 48, 48]


def test_what_it_takes_it_gives_back(interlaced):
    threads = len(os.listdir("/proc/self/task"))
    deinterlacer = Deinterlacer()
    for picture in interlaced:
        deinterlacer.push(picture)
    del deinterlacer
    assert len(os.listdir("/proc/self/task")) == threads
