from byoc_kit.core.timings import Timings, percentiles_ms


def test_percentiles_are_of_the_values_in_order():
    assert percentiles_ms([0.003, 0.001, 0.002]) == {"p50": 2.0, "p95": 3.0}
    assert percentiles_ms([]) == {}


def test_only_the_last_600_count():
    timings = Timings()
    for number in range(1200):
        timings.add(1.0 if number < 600 else 0.5)
    assert timings.percentiles_ms() == {"p50": 500.0, "p95": 500.0}
