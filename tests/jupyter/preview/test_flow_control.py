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
    Credit,
)


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def spent_credit():
    clock = Clock()
    credit = Credit(clock)
    assert len(taken(credit)) == WINDOW
    return clock, credit


def taken(credit):
    """Take all that may go now; returns the numbers."""
    return [ticket.number for ticket in iter(credit.take, None)]


def asked_of(credit):
    """Take all that may go now; returns the numbers of those that are asked for an answer."""
    return [ticket.number for ticket in iter(credit.take, None) if ticket.is_asked]


def test_an_answer_lets_as_many_go_as_it_answers():
    clock, credit = spent_credit()
    assert credit.take() is None
    clock.now_s += QUICK_S + 0.01
    credit.ack(0)
    assert taken(credit) == [WINDOW]
    credit.ack(4)
    assert taken(credit) == [WINDOW + n for n in (1, 2, 3, 4)]


def test_an_answer_counts_for_the_pictures_before_it():
    _, credit = spent_credit()
    credit.ack(1)
    assert taken(credit) == [WINDOW, WINDOW + 1]
    credit.ack(0)
    assert credit.take() is None


def test_each_fourth_picture_is_asked_until_an_answer_was_quick():
    clock = Clock()
    credit = Credit(clock)
    assert asked_of(credit) == [0, SPACING, 2 * SPACING]
    clock.now_s += QUICK_S - 0.01
    credit.ack(2 * SPACING)
    assert credit.window == QUICK_WINDOW
    first = 3 * SPACING
    assert asked_of(credit) == [first, first + QUICK_SPACING]


def test_a_slow_answer_narrows_the_window_again():
    clock, credit = spent_credit()
    credit.ack(2 * SPACING)
    asked = asked_of(credit)
    clock.now_s += QUICK_S + 0.01
    credit.ack(asked[-1])
    assert credit.window == WINDOW
    next_asked = asked_of(credit)[-1]
    clock.now_s += QUICK_S + 0.01
    credit.ack(next_asked)
    first, second = asked_of(credit)[:2]
    assert second - first == SPACING


@pytest.mark.parametrize("answered", range(QUICK_WINDOW))
def test_with_more_under_way_than_the_window_holds_a_picture_is_asked_all_the_same(answered):
    """What it waits for must have been asked: nothing else is sure to be answered, or to be missed."""
    clock, credit = spent_credit()
    credit.ack(2 * SPACING)
    sent = taken(credit)
    clock.now_s += QUICK_S + 0.01
    credit.ack(sent[answered])
    taken(credit)
    clock.now_s += MIN_PATIENCE_S + PATIENCE_ROUND_TRIPS * QUICK_S
    credit.take()
    assert credit.is_late


def test_without_answers_it_goes_on_slowly_and_says_so():
    clock, credit = spent_credit()
    clock.now_s += MIN_PATIENCE_S + 0.01
    assert credit.take().number == WINDOW
    assert credit.is_late
    assert credit.take() is None
    clock.now_s += LATE_INTERVAL_S
    late = credit.take()
    assert (late.number, late.is_asked) == (WINDOW + 1, True)


def test_the_next_ack_ends_the_slow_going():
    clock, credit = spent_credit()
    clock.now_s += 1
    credit.take()
    clock.now_s += QUICK_S + 0.01
    credit.ack(WINDOW)
    assert not credit.is_late
    assert taken(credit) == list(range(WINDOW + 1, 2 * WINDOW + 1))


def test_a_long_way_to_the_browser_earns_patience():
    clock, credit = spent_credit()
    clock.now_s += 0.2
    credit.ack(SPACING)
    assert credit.patience_s == PATIENCE_ROUND_TRIPS * (clock.now_s - 100.0)


def test_one_freeze_teaches_no_patience():
    clock, credit = spent_credit()
    credit.ack(0)
    clock.now_s += 8
    credit.ack(SPACING)
    assert credit.patience_s == MIN_PATIENCE_S


def test_a_closed_tab_gets_next_to_nothing():
    clock, credit = spent_credit()
    clock.now_s += GONE_AFTER_S + 1
    assert credit.take() is not None
    clock.now_s += GONE_INTERVAL_S / 2
    assert credit.take() is None
    clock.now_s += GONE_INTERVAL_S
    assert credit.take() is not None


def test_a_new_view_starts_with_full_credit():
    _, credit = spent_credit()
    credit.reset()
    first = credit.take()
    assert (first.number, first.is_asked) == (WINDOW, True)
    assert taken(credit) == list(range(WINDOW + 1, 2 * WINDOW))
