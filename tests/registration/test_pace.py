import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoc_kit.network.runners import go_duration
from byoc_kit.registration.pace import INTERVAL_S, TTL_S, Limits, Pace, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1m0s", 60), ("500ms", 0.5), ("1h2m3.5s", 3723.5), ("250µs", 0.00025), ("1ns", 1e-9), (".5s", 0.5)],
)
def test_a_duration_as_go_prints_it(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "5sec", "1e9s", "5s\n", "∞s", "\u0665s", "9" * 400 + "s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@given(st.integers(1, 10**8))
def test_what_the_local_network_prints_is_read_back(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(go_duration(seconds)) == pytest.approx(seconds, rel=1e-4)


def test_the_orchestrators_durations_are_taken():
    assert Pace.of("3s", "1m0s", Limits()) == Pace(3, 60, is_as_said=True)


@pytest.mark.parametrize(
    ("interval", "ttl", "pace"),
    [
        ("0s", "20s", (1, 20)),
        ("1ns", "1ns", (1, 2)),
        ("9000h", "20s", (15, 20)),
        ("5s", "9000h", (5, 3600)),
        ("1m0s", "20s", (15, 20)),
        ("banana", "20s", (INTERVAL_S, 20)),
        (5, None, (INTERVAL_S, TTL_S)),
        (None, ["20s"], (INTERVAL_S, TTL_S)),
        ("-5s", "-20s", (INTERVAL_S, TTL_S)),
    ],
)
def test_an_absurd_duration_is_brought_to_what_can_be(interval, ttl, pace):
    made = Pace.of(interval, ttl, Limits())
    assert (made.interval_s, made.ttl_s) == pace
    assert not made.is_as_said


@given(st.one_of(st.none(), st.text(), st.integers()), st.one_of(st.none(), st.text(), st.integers()))
def test_a_heartbeat_always_comes_before_the_runner_is_forgotten(interval, ttl):
    pace = Pace.of(interval, ttl, Limits())
    assert Limits().least_s <= pace.interval_s < pace.ttl_s <= Limits().longest_ttl_s
