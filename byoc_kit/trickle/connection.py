"""What reading and publishing share: the HTTP session, the answers that end a channel, and trying again."""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus

import aiohttp

from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.protocol import CLOSED_HEADER

logger = logging.getLogger(__name__)

GIVE_UP_AFTER_S = 20.0
CONNECT_TIMEOUT_S = 10.0
TAIL_S = 0.5
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
"""For a request that is neither a segment being made nor one being waited for."""

_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 2.0
_REUSE_S = 2.0
_GONE = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)  # of a DELETE: of go-livepeer's server, and of the local one
_MOST_DIGITS = 18  # of a sequence number, which go-livepeer keeps in 64 bits; Python refuses to read 4300
_SURELY_CONNECTED_S = CONNECT_TIMEOUT_S + 1

# A peer that is gone is noticed after 15 + 3 * 5 s, whether nothing is being said or what is said stays unacknowledged.
_SOCKET_OPTIONS = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, 1),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, 15),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, 5),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, 3),
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, 30_000),
}


class AnswerError(aiohttp.ClientError):
    """An answer that no healthy trickle server gives; the text says what it was."""


class TrickleError(Exception):
    """A channel that has failed for ``GIVE_UP_AFTER_S`` seconds, or that did not take a message."""


def client_session() -> aiohttp.ClientSession:
    """Return a session for live channels: no total time limit, since a quiet channel may live for hours.

    Certificates are not verified: an orchestrator signs its own, and go-livepeer's clients do not verify them either.
    A body stays as it came, and none is asked for compressed: a few MB of gzip are gigabytes to unpack.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        ssl=False,
        socket_factory=_kept_alive,
        keepalive_timeout=_REUSE_S,  # a server drops an idle connection after 5 s or more; a POST would be lost in that
    )
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S)
    headers = {"Accept-Encoding": "identity"}
    return aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers, auto_decompress=False)


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    for name, (level, value) in _SOCKET_OPTIONS.items():
        if hasattr(socket, name):  # not every platform has all of them
            made.setsockopt(level, getattr(socket, name), value)
    return made


def end_of_channel(response: aiohttp.ClientResponse) -> str | None:
    """Return why the channel has ended, by the headers of any answer, or ``None`` if it goes on."""
    if CLOSED_HEADER in response.headers:  # on a 200 too, whose body then is no segment
        return "the channel was closed"
    if response.status == HTTPStatus.NOT_FOUND:
        return "the channel is not there"
    return None


def sequence_number(response: aiohttp.ClientResponse, header: str, otherwise: int) -> int:
    """Return the sequence number in a header, or ``otherwise`` where there is none or something else."""
    value = response.headers.get(header, "")
    is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    return int(value) if is_number else otherwise


def check_success(response: aiohttp.ClientResponse) -> None:
    """Raise ``AnswerError`` for any status but success.

    A redirect is no success, and no request follows one: whoever answers could send it to any host and port.
    """
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        is_redirect = response.status < HTTPStatus.BAD_REQUEST
        msg = f"HTTP {response.status}{' (a redirect, which is not followed)' if is_redirect else ''}"
        raise AnswerError(msg)


def reason_of(error: BaseException) -> str:
    """Return an error's text, or its type where it has none, as a time-out does."""
    return str(error) or type(error).__name__


async def delete_channel(session: aiohttp.ClientSession, url: str, *, written_s: float) -> None:
    """Close a channel for its readers, as go-livepeer's publisher does at its end; one that is gone is no failure.

    ``written_s`` is the loop's time when its last segment began. A deleted channel has no segments any more, and a
    reader asks for one as late as it sees the one before it; so it gets ``TAIL_S`` for the tail.
    """
    await asyncio.sleep(max(0.0, written_s + TAIL_S - asyncio.get_running_loop().time()))
    try:
        async with session.delete(url, timeout=REQUEST_TIMEOUT, allow_redirects=False) as answer:
            if answer.status not in _GONE:
                check_success(answer)
    except (aiohttp.ClientError, OSError) as error:
        logger.info("%s could not be deleted: %s", without_secrets(url), reason_of(error))


class Backoff:
    """Grows the pause between failed tries, and gives up after ``GIVE_UP_AFTER_S`` without one success."""

    def __init__(self, url: str) -> None:
        self._url = without_secrets(url)
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since: float | None = None

    def succeeded(self) -> None:
        """Begin anew with the next failure."""
        self._pause_s = _FIRST_BACKOFF_S
        self._failing_since = None

    async def failed(self, reason: str, *, lasted_s: float = 0.0) -> None:
        """Pause before the next try. Raises ``TrickleError`` if there have been failures for too long.

        ``lasted_s`` is how long the failed request was open. One that was open for longer than connecting may take had
        reached the server: a proxy ends a quiet request after a minute, say, which must not end the channel.
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
