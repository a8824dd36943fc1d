"""The socket that the container listens on. Neither many connections nor slow ones keep new ones out."""

from __future__ import annotations

import asyncio
import logging
import math
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)
http_logger = logging.getLogger(f"{__name__}.http")

REQUEST_TIMEOUT_S = 15.0
"""How long the head of a request, and then its body, may take."""

KEEP_ALIVE_S = 75.0
"""How long a connection may wait for its next request."""

_LONGEST_HEADER = 262_144
"""Bytes of a header or of the request line: a Livepeer payment is several kilobytes long, and aiohttp takes 8190."""

_MOST_FILES = 65_536  # older code closes every file that might be open, which takes seconds with more
_MOST_CONNECTIONS = 1024
_ACCEPT_AT_ONCE = 16  # a connection that is closed to make room frees its file only afterwards
_ACCEPT_AGAIN_S = 1.0
_LOGGED_EVERY_S = 60.0

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


def raise_file_limit() -> int:
    """Raise the limit of open files, usually 1024, as far as the process may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _MOST_FILES if soft == resource.RLIM_INFINITY else soft


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def app_runner(app: web.Application, *, shutdown_timeout_s: float) -> web.AppRunner:
    """Return a runner that takes long headers, closes idle connections, and logs no traceback of clients' faults.

    It unpacks no body. A few MB of gzip become gigabytes, and aiohttp would unpack them on the event loop, also those
    of a body that nobody reads: seconds in which ``/health`` does not answer.
    """
    return web.AppRunner(
        app,
        shutdown_timeout=shutdown_timeout_s,
        keepalive_timeout=KEEP_ALIVE_S,
        auto_decompress=False,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        logger=http_logger,
    )


def protocol_factory(runner: web.AppRunner) -> ProtocolFactory:
    """Return the protocol factory for the connections of a runner that is set up."""
    assert runner.server is not None  # noqa: S101  # set by runner.setup()
    return runner.server


class Listener:
    """Accepts connections and gives each to the app that ``leads_to`` makes protocols for at that moment.

    Connections take at most half of the files that the process may still open. One more connection replaces the one
    that has been without a request for longest. If all have a request, the new one is closed at once.

    If the system refuses more connections, it tries again each second, and logs that once a minute. asyncio's server
    would log it a hundred times a second, each time with a traceback, and restart as often.
    """

    def __init__(self, listening: socket.socket, leads_to: ProtocolFactory, *, most: int | None = None) -> None:
        self.leads_to = leads_to
        self.most = most or min(_MOST_CONNECTIONS, max(1, (raise_file_limit() - _open_files()) // 2))
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._logged_s = -math.inf
        self._entering: set[asyncio.Task[object]] = set()
        self._visitors: dict[_Visitor, None] = {}  # in order: the first has been without a request for longest
        listening.setblocking(False)  # a positional argument only
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more connections; those that are open stay open."""
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._fail(error)
                return
            if not self._has_room():
                connection.close()
                continue
            connection.setblocking(False)  # a positional argument only
            entering = self._loop.create_task(self._enter(connection), name="accept")
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)

    def _fail(self, error: OSError) -> None:
        if self._loop.time() - self._logged_s > _LOGGED_EVERY_S:
            self._logged_s = self._loop.time()
            logger.error("no connection can be accepted: %s; trying again each second", error)
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(_ACCEPT_AGAIN_S, self._loop.add_reader, self._listening, self._accept)

    async def _enter(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: _Visitor(self), connection)
        except OSError as error:
            logger.debug("a connection broke off: %s", error)

    def _has_room(self) -> bool:
        if len(self._visitors) + len(self._entering) < self.most:
            return True
        idle = next((visitor for visitor in self._visitors if not visitor.is_at_request), None)
        if idle is not None:
            idle.leave()
        return idle is not None

    def entered(self, visitor: _Visitor) -> None:
        """Note a new connection, or the end of a connection's request."""
        self._visitors.pop(visitor, None)
        self._visitors[visitor] = None

    def left(self, visitor: _Visitor) -> None:
        """Forget a connection."""
        self._visitors.pop(visitor, None)


class _Visitor(asyncio.Protocol):
    """A connection: the app's protocol, with a time limit for the heads of requests."""

    def __init__(self, listener: Listener) -> None:
        self.is_at_request = False
        self._listener = listener
        self._app = cast("asyncio.Protocol", listener.leads_to())
        self._transport: asyncio.Transport | None = None
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._listener.entered(self)
        self._start_clock()
        self._app.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        self._listener.left(self)
        self._app.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.is_at_request and self._clock is None:
            self._start_clock()  # the head of another request
        self._app.data_received(data)

    def eof_received(self) -> bool | None:
        return self._app.eof_received()

    def pause_writing(self) -> None:
        self._app.pause_writing()

    def resume_writing(self) -> None:
        self._app.resume_writing()

    def leave(self) -> None:
        """Close the connection at once, and drop what waits to be sent."""
        self._listener.left(self)
        if self._transport is not None:
            self._transport.abort()

    @contextmanager
    def at_request(self) -> Iterator[None]:
        self._stop_clock()
        self.is_at_request = True
        try:
            yield
        finally:
            self.is_at_request = False
            if self._transport is not None and not self._transport.is_closing():
                self._listener.entered(self)

    def _start_clock(self) -> None:
        self._clock = asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, self.leave)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None


@web.middleware
async def noted_at_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Stop a connection's clock while its request is served."""
    visitor = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(visitor, _Visitor):  # the app is served without a Listener
        return await handler(request)
    with visitor.at_request():
        return await handler(request)


def _is_ours(record: logging.LogRecord) -> bool:
    """Replace the record of a client's fault by one line in the debug log."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | ConnectionError | web.RequestPayloadError):
        return True
    logger.debug("%s: %s: %s", record.getMessage(), type(error).__name__, error)
    return False


http_logger.addFilter(_is_ours)
