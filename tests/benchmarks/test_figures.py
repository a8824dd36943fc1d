import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Figures, Lost, count_lost, figures_of, latencies_of, memory_of, percentile, summarize
from benchmarks.measure import Seen


def seen(sent=100, lost=(), latency_s=0.02, **extra):
    handed = {pts: 50.0 + pts / 30 for pts in range(sent)}
    arrived = {pts: handed_s + latency_s for pts, handed_s in handed.items() if pts not in lost}
    return Seen(sent, handed_s=handed, arrived_s=arrived, **extra)


@pytest.mark.parametrize(
    ("back", "lost"),
    [
        ([1, 2, 3, 4, 5], Lost(0, 0, 0)),
        ([2, 3, 5], Lost(1, 1, 0)),
        ([3], Lost(2, 0, 2)),
        ([1, 5], Lost(0, 3, 0)),
        ([], Lost(5, 0, 0)),
        ([1, 2, 3, 4, 5, 99], Lost(0, 0, 0)),
    ],
)
def test_lost_frames_are_told_by_where_they_were(back, lost):
    assert count_lost([1, 2, 3, 4, 5], back) == lost


@given(st.lists(st.booleans(), min_size=1))
def test_no_lost_frame_is_counted_twice_or_forgotten(came_back):
    lost = count_lost(range(len(came_back)), [number for number, is_back in enumerate(came_back) if is_back])
    assert lost.start + lost.middle + lost.end == came_back.count(False)


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_one_of_the_values(percent, value):
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_the_percentile_of_one_value_is_that_value():
    assert percentile([7.0], 95) == 7.0


def test_cpu_time_is_for_a_thousand_frames_of_the_input():
    assert figures_of(seen(600, cpu_s=4.8)).cpu_s == pytest.approx(8)
    assert figures_of(seen(600, lost=range(300), cpu_s=4.8)).cpu_s == pytest.approx(8)


def test_latency_counts_from_the_second_on_that_is_asked_for():
    run = seen(600)
    for pts in range(360):
        run.arrived_s[pts] += 5
    assert figures_of(run).latency_p95_ms == pytest.approx(5020)
    assert figures_of(run, settled_s=12).latency_p95_ms == pytest.approx(20)


def test_a_latency_of_which_no_frame_came_back_is_infinite():
    assert figures_of(seen(600, lost=range(200, 600)), settled_s=12).latency_p95_ms == math.inf


def test_a_run_that_ends_before_it_has_settled_has_no_latency():
    figures = figures_of(seen(90), settled_s=12)
    assert (figures.latency_p50_ms, figures.latency_p95_ms) == (None, None)
    assert figures.behind_ms == pytest.approx(20)


def test_what_has_no_stream_has_cpu_and_memory_only():
    assert figures_of(Seen(100, cpu_s=1.0, peak_rss_mb=90.0)) == Figures(cpu_s=10.0, peak_rss_mb=90.0)


def test_health_and_lateness_are_in_milliseconds():
    figures = figures_of(seen(health_s=[0.001] * 98 + [0.5] * 2, late_s=[0.002]))
    assert (figures.health_p50_ms, figures.health_p99_ms, figures.late_p95_ms) == (1, 500, 2)


def test_the_series_begin_at_nought():
    run = seen(3, lost=[1], memory=[(7.0, 300.0), (8.0, 310.0)])
    assert latencies_of(run) == [(0, pytest.approx(20)), (pytest.approx(2 / 30), pytest.approx(20))]
    assert memory_of(run) == [(0, 300), (1, 310)]


def test_a_summary_is_the_median_but_of_lost_frames_the_most():
    runs = [Figures(cpu_s=1, lost_end=0), Figures(cpu_s=5, lost_end=3), Figures(cpu_s=2, lost_end=0)]
    assert summarize(runs) == Figures(cpu_s=2, lost_end=3)


def test_most_runs_without_a_frame_are_no_frame():
    runs = [Figures(latency_p95_ms=value) for value in (200.0, math.inf, math.inf)]
    assert summarize(runs).latency_p95_ms == math.inf
