import pytest

from benchmarks.contenders import ALL, FFMPEG, LOOP_BACK, choose
from byoc_kit.errors import ByocKitError


def test_without_a_choice_all_are_measured():
    assert choose([]) == list(ALL)


def test_the_order_is_the_usual_one_whatever_was_typed():
    assert choose(["ffmpeg", "loop-back"]) == [LOOP_BACK, FFMPEG]


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ByocKitError, match="there is no contender gstreamer; there are loop-back, stock, byoc-kit,"):
        choose(["ffmpeg", "gstreamer"])
