"""Addresses: TCP ports to serve on, and URLs without secrets."""

from __future__ import annotations

import errno
import os
import socket
from urllib.parse import urlsplit

from yarl import URL

from byoc_kit.errors import ByocKitError

_LAST_PORT = 65_535


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an IPv4 or IPv6 address or a host name; ``::`` stands for all addresses of both.

    Raises ``ByocKitError`` if this machine has no such address, or the port is taken.
    """
    if not 0 <= port <= _LAST_PORT:
        msg = f"there is no port {port}; choose a --port from 0 to {_LAST_PORT}"
        raise ByocKitError(msg)
    try:
        family, address = _address_of(host, port)
        is_for_all = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, dualstack_ipv6=is_for_all)
    except (OSError, UnicodeError) as error:  # UnicodeError for a name that no host can have
        msg = f"cannot listen on {in_url(host)}:{port}: {_reason_of(error)}"
        raise ByocKitError(msg) from error


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{in_url(host)}:{port}"


def _address_of(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = min(found, key=lambda one: one[0] != socket.AF_INET)  # IPv4 first, if a name has both
    return family, (str(address[0]), int(address[1]))


def in_url(host: str) -> str:
    """Return a host in the form for a URL: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host else host


def _reason_of(error: OSError | UnicodeError) -> str:
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return "no such host; choose another --host"
    other = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
    return f"{os.strerror(error.errno or 0)}; choose another {other}"


def without_secrets(url: str) -> str:
    """Return a URL without its user, password and query: the query may contain a key."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is not a URL
        return url.partition("://")[0] + "://"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, as the HTTP client reads it. Raises ``ValueError`` for another text."""
    return str(URL(url).origin())
