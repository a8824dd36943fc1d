import pytest

from byoc_kit.jupyter.preview.stats import Meter


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_a_rate_is_that_of_the_last_two_seconds():
    clock = Clock()
    meter = Meter(clock)
    for _ in range(50):
        meter.tick()
        clock.now_s += 0.1
    assert meter.count == 50
    assert meter.rate() == pytest.approx(10)
    clock.now_s += 3
    assert meter.rate() == 0


def test_a_rate_that_begins_again_has_settled_after_two_seconds():
    clock = Clock()
    meter = Meter(clock)
    assert not meter.is_settled
    for _ in range(30):
        meter.tick()
        clock.now_s += 0.1
    assert meter.is_settled
    meter.restart()
    assert (meter.rate(), meter.is_settled, meter.count) == (0, False, 30)
    clock.now_s += 10
    for _ in range(15):
        meter.tick()
        clock.now_s += 0.1
    assert meter.rate() == pytest.approx(10)
    assert not meter.is_settled


def test_a_rate_of_what_is_told_late_leaves_out_the_time_of_which_nothing_is_known_yet():
    """Twelve pictures are answered at once, 400 ms after the first of them: the rate is steady all the same."""
    clock = Clock()
    meter = Meter(clock, known_after_s=0.5)
    rates = []
    for bunch in range(10):
        for picture in range(12):
            meter.tick(100 + bunch * 0.4 + picture / 30)
        for moment in range(4):
            clock.now_s = 100.4 + bunch * 0.4 + moment * 0.1
            rates.append(meter.rate())
    assert rates[-8:] == [pytest.approx(30, abs=1)] * 8
