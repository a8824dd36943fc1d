import threading

import pytest

from byoc_kit.sources.trickle_video import TrickleVideo

DEADLINE_S = 20


def test_what_nobody_expects_of_the_network_is_raised_where_the_frames_are_read(monkeypatch):
    async def broken(*_):
        raise RuntimeError("a fault of its own")
        yield

    monkeypatch.setattr("byoc_kit.trickle.subscriber.read_channel", broken)
    with pytest.raises(RuntimeError, match="a fault of its own"):
        next(TrickleVideo("http://127.0.0.1:9/ai/trickle/in").frames())


def test_a_channel_that_cannot_be_received_at_all_is_raised_where_the_frames_are_read(monkeypatch):
    def broken():
        raise RuntimeError("no inlet")

    monkeypatch.setattr("byoc_kit.trickle.buffers.ByteInlet", broken)
    raised = []

    def read():
        try:
            next(TrickleVideo("http://127.0.0.1:9/ai/trickle/in").frames())
        except RuntimeError as error:
            raised.append(str(error))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(DEADLINE_S)
    assert raised == ["no inlet"]
