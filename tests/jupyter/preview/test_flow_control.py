import pytest

from byoc_kit.jupyter.preview.flow_control import (
    GONE_AFTER_S,
    GONE_INTERVAL_S,
    LATE_INTERVAL_S,
    MIN_PATIENCE_S,
    PATIENCE_ROUND_TRIPS,
    QUICK_S,
    QUICK_SPACING,
    QUICK_WINDOW,
    SPACING,
    WINDOW,
    AckWindow,
)


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def full_window():
    clock = Clock()
    window = AckWindow(clock)
    assert len(taken(window)) == WINDOW
    return clock, window


def taken(window):
    """Take all that may go now; returns the numbers."""
    return [slot.number for slot in iter(window.take, None)]


def asked_of(window):
    """Take all that may go now; returns the numbers of those that are asked for an answer."""
    return [slot.number for slot in iter(window.take, None) if slot.is_asked]


def test_an_answer_lets_as_many_go_as_it_answers():
    clock, window = full_window()
    assert window.take() is None
    clock.now_s += QUICK_S + 0.01
    window.ack(0)
    assert taken(window) == [WINDOW]
    window.ack(4)
    assert taken(window) == [WINDOW + n for n in (1, 2, 3, 4)]


def test_an_answer_counts_for_the_pictures_before_it():
    _, window = full_window()
    window.ack(1)
    assert taken(window) == [WINDOW, WINDOW + 1]
    window.ack(0)
    assert window.take() is None


def test_each_fourth_picture_is_asked_until_an_answer_was_quick():
    clock = Clock()
    window = AckWindow(clock)
    assert asked_of(window) == [0, SPACING, 2 * SPACING]
    clock.now_s += QUICK_S - 0.01
    window.ack(2 * SPACING)
    assert window.size == QUICK_WINDOW
    first = 3 * SPACING
    assert asked_of(window) == [first, first + QUICK_SPACING]


def test_a_slow_answer_narrows_the_window_again():
    clock, window = full_window()
    window.ack(2 * SPACING)
    asked = asked_of(window)
    clock.now_s += QUICK_S + 0.01
    window.ack(asked[-1])
    assert window.size == WINDOW
    next_asked = asked_of(window)[-1]
    clock.now_s += QUICK_S + 0.01
    window.ack(next_asked)
    first, second = asked_of(window)[:2]
    assert second - first == SPACING


@pytest.mark.parametrize("answered", range(QUICK_WINDOW))
def test_with_more_under_way_than_the_window_holds_a_picture_is_asked_all_the_same(answered):
    """What it waits for must have been asked: nothing else is sure to be answered, or to be missed."""
    clock, window = full_window()
    window.ack(2 * SPACING)
    sent = taken(window)
    clock.now_s += QUICK_S + 0.01
    window.ack(sent[answered])
    taken(window)
    clock.now_s += MIN_PATIENCE_S + PATIENCE_ROUND_TRIPS * QUICK_S
    window.take()
    assert window.is_late


def test_without_answers_it_goes_on_slowly_and_says_so():
    clock, window = full_window()
    clock.now_s += MIN_PATIENCE_S + 0.01
    assert window.take().number == WINDOW
    assert window.is_late
    assert window.take() is None
    clock.now_s += LATE_INTERVAL_S
    late = window.take()
    assert (late.number, late.is_asked) == (WINDOW + 1, True)


def test_the_next_ack_ends_the_slow_going():
    clock, window = full_window()
    clock.now_s += 1
    window.take()
    clock.now_s += QUICK_S + 0.01
    window.ack(WINDOW)
    assert not window.is_late
    assert taken(window) == list(range(WINDOW + 1, 2 * WINDOW + 1))


def test_a_long_way_to_the_browser_earns_patience():
    clock, window = full_window()
    clock.now_s += 0.2
    window.ack(SPACING)
    assert window.patience_s == PATIENCE_ROUND_TRIPS * (clock.now_s - 100.0)


def test_one_freeze_teaches_no_patience():
    clock, window = full_window()
    window.ack(0)
    clock.now_s += 8
    window.ack(SPACING)
    assert window.patience_s == MIN_PATIENCE_S


def test_a_closed_tab_gets_next_to_nothing():
    clock, window = full_window()
    clock.now_s += GONE_AFTER_S + 1
    assert window.take() is not None
    clock.now_s += GONE_INTERVAL_S / 2
    assert window.take() is None
    clock.now_s += GONE_INTERVAL_S
    assert window.take() is not None


def test_a_new_view_starts_with_an_empty_window():
    _, window = full_window()
    window.reset()
    first = window.take()
    assert (first.number, first.is_asked) == (WINDOW, True)
    assert taken(window) == list(range(WINDOW + 1, 2 * WINDOW))
