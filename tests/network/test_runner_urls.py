"""The cases of go-livepeer's ``ai/runner/live_runner_test.go``: TestParseProxyURLTemplate and BroadInputs."""

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.network.runner_urls import ProxyMatch, ProxyTemplate, split_http_url

IN_PATH = "http://localhost:1234/run/{proxy}"
IN_HOST = "https://edge-{proxy}.daydream.example.com/proxy"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("https://daydream.example.com/proxied", "exactly one"),
        ("https://{proxy}.{proxy}.example.com", "exactly one"),
        ("ftp://daydream.example.com/{proxy}", "must be an absolute"),
        ("/run/{proxy}", "must be an absolute"),
        ("https://daydream.example.com/proxied/{proxy}/tail", "last path segment"),
        ("https://daydream.example.com/proxied-{proxy}", "last path segment"),
        ("https://daydream.example.com/?{proxy}", "last path segment"),
    ],
)
def test_a_template_that_cannot_be_matched_is_refused(raw, reason):
    with pytest.raises(ByocKitError, match=reason):
        ProxyTemplate.parse(raw)


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        (IN_PATH, "http://localhost:1234/run/a%20b"),
        ("https://h.example.com/p/{proxy}/", "https://h.example.com/p/a%20b/"),
        (IN_HOST, "https://edge-a b.daydream.example.com/proxy"),
    ],
)
def test_a_proxys_url_has_its_id_in_place(raw, url):
    assert ProxyTemplate.parse(raw).url("a b") == url


@pytest.mark.parametrize(
    ("raw", "host", "path", "match"),
    [
        (IN_PATH, "LOCALHOST:1234", "/run/a b/%2F/snowman", ProxyMatch("a b", "%2F/snowman")),
        (IN_PATH, "localhost:1234", "/run/id", ProxyMatch("id", "")),
        (IN_PATH, "localhost:1234", "/run/id/", ProxyMatch("id", "")),
        (IN_PATH, "localhost", "/run/id", None),
        (IN_PATH, "other.example.com", "/run/proxy/app", None),
        (IN_PATH, "localhost:1234", "/run//app", None),
        (IN_PATH, "localhost:1234", "/runs/id", None),
        (
            IN_HOST,
            "EDGE-A%2FB.DAYDREAM.EXAMPLE.COM:443",
            "/proxy/%2F/snowman",
            ProxyMatch("a%2fb", "%2F/snowman"),
        ),
        (IN_HOST, "edge-x.daydream.example.com", "/proxy", ProxyMatch("x", "")),
        (IN_HOST, "edge-proxy.daydream.example.com", "/proxyish/app", None),
        (IN_HOST, "edge-.daydream.example.com", "/proxy/app", None),
        (IN_HOST, "edge.daydream.example.com", "/proxy/app", None),
        ("http://{proxy}.localhost:9935", "static-proxy.localhost:9935", "/v1/x", ProxyMatch("static-proxy", "v1/x")),
    ],
)
def test_a_request_is_matched(raw, host, path, match):
    assert ProxyTemplate.parse(raw).match(host, path) == match


@pytest.mark.parametrize(
    "url",
    ["http://h/x#f", "HTTP://h", "http://[::1]:80/x", "http://h/a b", "http://h:/", "http://user:pw@h/x"],
)
def test_what_gos_parser_takes_for_an_http_url(url):
    assert split_http_url(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "bad url",
        "",
        "http://",
        "http:///p",
        "//h/x",
        "/x",
        "ftp://h/x",
        "http://h/%zz",
        "http://h:x/",
        "http://a b/",
        "http://h/\x01",
    ],
)
def test_what_it_does_not(url):
    assert split_http_url(url) is None
