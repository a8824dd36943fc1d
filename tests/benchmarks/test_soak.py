import math

import pytest

from benchmarks.soak import Minute, by_minute, check_growth, soak
from byoc_kit.errors import ByocKitError


def test_a_series_is_cut_into_minutes():
    latencies = [(float(second), 100.0 + second // 60) for second in range(180)]
    memory = [(float(second), 300.0 + second // 60) for second in range(181)]
    assert by_minute(latencies, memory, 3) == [Minute(100, 100, 300), Minute(101, 101, 301), Minute(102, 102, 302)]


def test_a_minute_without_a_frame_is_infinite():
    assert by_minute([], [(0.0, 300.0)], 1) == [Minute(math.inf, math.inf, 300)]


@pytest.mark.parametrize(
    ("last", "are_met"),
    [
        (Minute(200, 300, 315), [True, True]),
        (Minute(200, 301, 315), [False, True]),
        (Minute(200, 300, 316), [True, False]),
        (Minute(math.inf, math.inf, 300), [False, True]),
    ],
)
def test_the_last_minute_is_held_against_the_second(last, are_met):
    first, second = Minute(900, 900, 200), Minute(190, 200, 300)
    assert [verdict.is_met for verdict in check_growth([first, second, last])] == are_met


def test_a_soak_without_a_second_and_a_last_minute_is_refused(clip, tmp_path):
    with pytest.raises(ByocKitError, match="3 minutes at least"):
        soak(clip, minutes=2, output=tmp_path)
