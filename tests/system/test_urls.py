import pytest

from byoc_kit.system.addresses import without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:secret@camera:554/live?token=secret#secret", "rtsp://camera:554/live"),
        ("http://host/a/b", "http://host/a/b"),
        ("http://me:se@cret@[::1]:8935/ai/trickle/in", "http://[::1]:8935/ai/trickle/in"),
        ("http://[broken?secret", "http://"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert without_secrets(url) == shown
