import pytest

from byoc_kit.sources.channel import TrickleChannel


def test_what_nobody_expects_of_the_network_is_raised_where_the_frames_are_read(monkeypatch):
    async def broken(*_):
        raise RuntimeError("a fault of its own")
        yield

    monkeypatch.setattr("byoc_kit.trickle.client.read_channel", broken)
    with pytest.raises(RuntimeError, match="a fault of its own"):
        next(TrickleChannel("http://127.0.0.1:9/ai/trickle/in").frames())
