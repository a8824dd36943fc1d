"""What is paid before the first stream."""

from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.warm_up import warm_up


def test_the_decoders_hardware_is_opened_before_the_first_stream(monkeypatch):
    opened = []
    monkeypatch.setattr("byoc_kit.server.warm_up.choose_decoder", opened.append)
    warm_up(ServerSettings(decoder="auto"))
    assert opened == ["auto"]
