from byoc_kit.preview.credit import (
    GONE_AFTER_S,
    GONE_INTERVAL_S,
    LATE_INTERVAL_S,
    MIN_PATIENCE_S,
    PATIENCE_ROUND_TRIPS,
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
    for _ in range(WINDOW):
        assert credit.take() is not None
    return clock, credit


def taken(credit):
    """Take all that may go now."""
    return list(iter(credit.take, None))


def test_an_answer_lets_as_many_go_as_it_answers():
    _, credit = spent_credit()
    assert credit.take() is None
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


def test_without_answers_it_goes_on_slowly_and_says_so():
    clock, credit = spent_credit()
    clock.now_s += MIN_PATIENCE_S + 0.01
    assert credit.take() == WINDOW
    assert credit.is_late
    assert credit.take() is None
    clock.now_s += LATE_INTERVAL_S
    assert credit.take() == WINDOW + 1


def test_the_next_ack_ends_the_slow_going():
    clock, credit = spent_credit()
    clock.now_s += 1
    credit.take()
    credit.ack(WINDOW)
    assert not credit.is_late
    assert taken(credit) == list(range(WINDOW + 1, 2 * WINDOW + 1))


def test_a_long_way_to_the_browser_earns_patience():
    clock, credit = spent_credit()
    clock.now_s += 0.2
    credit.ack(1)
    assert credit.patience_s == PATIENCE_ROUND_TRIPS * (clock.now_s - 100.0)


def test_one_freeze_teaches_no_patience():
    clock, credit = spent_credit()
    credit.ack(0)
    clock.now_s += 8
    credit.ack(1)
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
    assert taken(credit) == list(range(WINDOW, 2 * WINDOW))
