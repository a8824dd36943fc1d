import socket

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import free_port, listen, origin_of, url_of, without_secrets

HAS_IPV6 = socket.has_ipv6 and socket.has_dualstack_ipv6()


def connects(address, port):
    with socket.create_connection((address, port), timeout=5):
        return True


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("::", ["::1", "127.0.0.1"]),
    ],
)
def test_a_host_of_either_kind_is_listened_on(host, addresses):
    if ":" in host and not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        assert all(connects(address, port) for address in addresses)
        shown = f"[{host}]" if ":" in host else "127.0.0.1"
        assert url_of(listening) == f"http://{shown}:{port}"


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("no-such-host.invalid", 80, "no-such-host.invalid:80: no such host; choose another --host"),
        ("x" * 64, 80, f"{'x' * 64}:80: no such host; choose another --host"),
        ("192.0.2.1", 0, "192.0.2.1:0: Cannot assign requested address; choose another --host"),
    ],
)
def test_an_address_that_cannot_be_listened_on_names_the_choice_to_change(host, port, message):
    with pytest.raises(ByocKitError) as raised:
        listen(host, port)
    assert str(raised.value) == f"cannot listen on {message}"


def test_a_port_that_is_taken_is_reported():
    with listen("127.0.0.1", free_port()) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ByocKitError, match=rf"127.0.0.1:{port}: Address already in use; choose another --port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_number_that_is_no_port_is_reported(port):
    with pytest.raises(ByocKitError, match=f"^there is no port {port}; choose a --port from 0 to 65535$"):
        listen("127.0.0.1", port)


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


def test_an_origin_is_that_of_the_http_client():
    assert origin_of("https://me:secret@host:8935/apps?x=1") == "https://host:8935"
    assert origin_of("http://host:80/a") == origin_of("http://HOST/b")
    with pytest.raises(ValueError, match=r"."):
        origin_of("no address")
