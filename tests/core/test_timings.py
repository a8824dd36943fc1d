from types import SimpleNamespace

import pytest

from byoc_kit.core.timings import Heartbeat, Timings, percentiles_ms


def test_percentiles_are_of_the_values_in_order():
    assert percentiles_ms([0.003, 0.001, 0.002]) == {"p50": 2.0, "p95": 3.0}
    assert percentiles_ms([]) == {}


def test_only_the_last_600_count():
    timings = Timings()
    for number in range(1200):
        timings.add(1.0 if number < 600 else 0.5)
    assert timings.percentiles_ms() == {"p50": 500.0, "p95": 500.0}


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now_s=100.0, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("byoc_kit.core.timings.time", clock)
    return clock


def test_a_step_takes_time_and_nothing_else_does(clock):
    beat = Heartbeat("it")
    clock.now_s += 5
    assert beat.taking_s == 0
    with beat.step():
        clock.now_s += 5
        assert beat.taking_s == 5
    assert beat.taking_s == 0
