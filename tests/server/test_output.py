"""What the encoder's step takes, and what it only waits for."""

from types import SimpleNamespace

import pytest

from byoc_kit.core.timings import Heartbeat
from byoc_kit.server.output import _Watched


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now_s=100.0, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("byoc_kit.core.timings.time", clock)
    return clock


def test_what_the_encoder_waits_for_the_network_is_not_its_own_time(clock):
    class SlowNetwork:
        def begin_segment(self):
            clock.now_s += 40
            seen.append(sending.taking_s)

        def write(self, _):
            self.begin_segment()

    seen = []
    sending, encoding = Heartbeat("the network"), Heartbeat("the encoder")
    publisher = _Watched(SlowNetwork(), sending=sending, encoding=encoding)
    with encoding.step():
        for call in (publisher.begin_segment, lambda: publisher.write(b"1")):
            call()
            assert encoding.taking_s == 0
            clock.now_s += 1
            assert encoding.taking_s == 1
    assert seen == [40, 40]
    publisher.write(b"2")
    assert encoding.taking_s == 0
