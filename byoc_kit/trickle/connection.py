"""What readers and publishers share: the HTTP session, the answers that end a channel, and pauses between tries."""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from byoc_kit.system.addresses import without_secrets
from byoc_kit.system.concurrency import on_thread
from byoc_kit.trickle.protocol import CLOSED_HEADER

logger = logging.getLogger(__name__)

GIVE_UP_AFTER_S = 20.0
CONNECT_TIMEOUT_S = 10.0
TAIL_S = 0.5
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
"""For requests other than those that stream a segment or wait for one."""

_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 2.0
_REUSE_S = 2.0
_GONE = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)  # go-livepeer's and our server's answer to DELETE
_MOST_DIGITS = 18  # of a sequence number, which has 64 bits in go-livepeer; int() refuses more than 4300
_SURELY_CONNECTED_S = CONNECT_TIMEOUT_S + 1

# A lost peer is noticed after 15 + 3 * 5 s, both while nothing is sent and while what is sent is not acknowledged.
_SOCKET_OPTIONS = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, 1),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, 15),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, 5),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, 3),
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, 30_000),
}


class AnswerError(aiohttp.ClientError):
    """An answer that no healthy trickle server gives; the text says which."""


class TrickleError(Exception):
    """A channel has failed for ``GIVE_UP_AFTER_S`` seconds, or did not take a message."""


def client_session() -> aiohttp.ClientSession:
    """Return a session for live channels: no total time limit, since a quiet channel may live for hours.

    Certificates are not verified: an orchestrator signs its own, and go-livepeer's clients do not verify them either.
    Bodies are not asked for compressed, and never unpacked: a few MB of gzip can become gigabytes.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        ssl=False,
        resolver=aiohttp.ThreadedResolver(cast("asyncio.AbstractEventLoop", _Lookups())),
        socket_factory=_kept_alive,
        keepalive_timeout=_REUSE_S,  # servers drop idle connections after 5 s or more, and a POST on one is lost
    )
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S)
    headers = {"Accept-Encoding": "identity"}
    return aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers, auto_decompress=False)


class _Lookups:
    """Looks names up on threads that may be left behind: those of the loop's pool keep a process from ending."""

    async def getaddrinfo(self, *host_and_port: Any, **options: Any) -> Any:
        return await on_thread(lambda: _addresses(*host_and_port, **options), name="lookup")

    async def getnameinfo(self, *address_and_flags: Any) -> Any:
        return await on_thread(lambda: socket.getnameinfo(*address_and_flags), name="lookup")


def _addresses(*host_and_port: Any, **options: Any) -> Any:
    """Look a name up. One that no host can have, such as ``a..b``, is not found."""
    try:
        return socket.getaddrinfo(*host_and_port, **options)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from None


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    for name, (level, value) in _SOCKET_OPTIONS.items():
        if hasattr(socket, name):  # not every platform has all of them
            made.setsockopt(level, getattr(socket, name), value)
    return made


def end_of_channel(response: aiohttp.ClientResponse) -> str | None:
    """Return why the channel has ended, which any answer can say, or ``None`` if it goes on."""
    if CLOSED_HEADER in response.headers:  # also with status 200, whose body is then not a segment
        return "the channel was closed"
    if response.status == HTTPStatus.NOT_FOUND:
        return "the channel is not there"
    return None


def sequence_number(response: aiohttp.ClientResponse, header: str, otherwise: int) -> int:
    """Return the sequence number in a header, or ``otherwise`` if there is none."""
    value = response.headers.get(header, "")
    is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    return int(value) if is_number else otherwise


def check_success(response: aiohttp.ClientResponse) -> None:
    """Raise ``AnswerError`` for any status but success.

    A redirect is not a success, and no request follows it: it could lead to any host and port.
    """
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        is_redirect = response.status < HTTPStatus.BAD_REQUEST
        msg = f"HTTP {response.status}{' (a redirect, which is not followed)' if is_redirect else ''}"
        raise AnswerError(msg)


def reason_of(error: BaseException) -> str:
    """Return an error's text, or its type if it has none, like a timeout."""
    return str(error) or type(error).__name__


async def delete_channel(session: aiohttp.ClientSession, url: str, *, written_s: float) -> None:
    """Delete a channel, as go-livepeer's publisher does at its end. That it is gone already is not a failure.

    ``written_s`` is the loop's time when its last segment began. A deleted channel has no segments any more, and a
    reader asks for the last one only after it has seen the one before; so readers get ``TAIL_S`` for that.
    """
    await asyncio.sleep(max(0.0, written_s + TAIL_S - asyncio.get_running_loop().time()))
    try:
        async with session.delete(url, timeout=REQUEST_TIMEOUT, allow_redirects=False) as answer:
            if answer.status not in _GONE:
                check_success(answer)
    except (aiohttp.ClientError, OSError) as error:
        logger.info("%s could not be deleted: %s", without_secrets(url), reason_of(error))


class Backoff:
    """Pauses longer after each failed try, and gives up after ``GIVE_UP_AFTER_S`` without a success."""

    def __init__(self, url: str) -> None:
        self._url = without_secrets(url)
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since: float | None = None

    def succeeded(self) -> None:
        """Forget the failures so far."""
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since = None

    async def failed(self, reason: str, *, lasted_s: float = 0.0) -> None:
        """Pause before the next try. Raises ``TrickleError`` if there have been failures for too long.

        ``lasted_s`` is how long the failed request was open. If that is longer than connecting may take, the server was
        reached, and the failures count from now: a proxy that ends quiet requests, say after a minute, must not end the
        channel.
        """
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            logger.warning("%s: %s; trying again", self._url, reason)
        if self._failing_since is None or lasted_s > _SURELY_CONNECTED_S:
            self._failing_since = now
            self._pause_s = _FIRST_BACKOFF_S
        if now - self._failing_since > GIVE_UP_AFTER_S:
            msg = f"{self._url} has failed for {GIVE_UP_AFTER_S:.0f} s: {reason}"
            raise TrickleError(msg)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LAST_BACKOFF_S)
