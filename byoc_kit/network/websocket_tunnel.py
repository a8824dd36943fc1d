"""Tunnels a session's WebSockets to its container."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing, suppress
from typing import Any
from urllib.parse import unquote

import h11
import yarl

from byoc_kit.network.reverse_proxy import MAX_HEAD_BYTES, Forwarding, Headers, end_to_end
from byoc_kit.network.runner_records import RunnerError
from byoc_kit.system.concurrency import until_either

_CHUNK_BYTES = 1 << 16


class WebSocketTunnel(asyncio.StreamReaderProtocol):
    """A WebSocket between client and container. After the container's 101, bytes pass both ways unchanged.

    uvicorn hands over the connection of a client that asks for an upgrade, and the head of its request.
    """

    def __init__(
        self, find: Callable[[str, str], Forwarding | None], *, config: Any, server_state: Any, app_state: Any
    ) -> None:
        del config, app_state
        super().__init__(asyncio.StreamReader(limit=MAX_HEAD_BYTES), self._serve)
        self._find = find
        self._state = server_state
        self._client: asyncio.StreamWriter

    def shutdown(self) -> None:
        """End the connection; uvicorn calls this when it stops."""
        self._client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._client = writer
        task = asyncio.current_task()
        self._state.connections.add(self)
        self._state.tasks.add(task)
        try:
            request = _parse_head(await reader.readuntil(b"\r\n\r\n"))
            await self._answer(request, reader)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client left
        finally:
            self._state.connections.discard(self)
            self._state.tasks.discard(task)
            writer.close()

    async def _answer(self, request: h11.Request, reader: asyncio.StreamReader) -> None:
        path, _, query = request.target.partition(b"?")
        host = dict(request.headers).get(b"host", b"").decode("latin-1")
        try:
            with closing(self._forwarding(host, unquote(path.decode("latin-1")))) as to:
                await self._tunnel(to, query, request, reader)
        except RunnerError as error:
            self._client.write(_head(error.status, "", [(b"Content-Type", b"text/plain; charset=utf-8")], closes=True))
            self._client.write(f"{error}\n".encode())
            await self._client.drain()

    def _forwarding(self, host: str, path: str) -> Forwarding:
        to = self._find(host, path)
        if to is None:
            raise RunnerError(404, "404 page not found")
        return to

    async def _tunnel(self, to: Forwarding, query: bytes, request: h11.Request, reader: asyncio.StreamReader) -> None:
        target, hostname = to.target(query), yarl.URL(f"//{to.host}", encoded=True)
        port = hostname.explicit_port or (443 if to.is_tls else 80)
        try:
            upstream, upstream_writer = await asyncio.open_connection(hostname.host, port, ssl=to.is_tls or None)
        except OSError as error:
            raise RunnerError(502, f"{to.host}: {error.strerror or error}") from error
        try:
            connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
            headers = [(b"Host", to.host.encode()), *to.replace_headers(request.headers)]
            headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
            upstream_writer.write(
                connection.send(h11.Request(method=request.method, target=target, headers=headers)) or b""
            )
            upstream_writer.write(connection.send(h11.EndOfMessage()) or b"")
            if await self._pass_answer(connection, upstream):
                await until_either(_copy(upstream, self._client), _copy(reader, upstream_writer))
        finally:
            upstream_writer.close()

    async def _pass_answer(self, connection: h11.Connection, upstream: asyncio.StreamReader) -> bool:
        """Pass the container's answer on; returns whether it agreed to the upgrade."""
        try:
            async with aclosing(_events(connection, upstream)) as events:
                async for event in events:
                    if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                        headers = [*end_to_end(event.headers), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
                        self._client.write(
                            _head(101, event.reason.decode("latin-1"), headers) + connection.trailing_data[0]
                        )
                        return True
                    if isinstance(event, h11.Response):
                        reason = event.reason.decode("latin-1")
                        self._client.write(_head(event.status_code, reason, end_to_end(event.headers), closes=True))
                    if isinstance(event, h11.Data):
                        self._client.write(event.data)
                        await self._client.drain()
        except h11.RemoteProtocolError as error:
            raise RunnerError(502, str(error)) from error
        await self._client.drain()
        return False


async def _events(connection: h11.Connection, upstream: asyncio.StreamReader) -> AsyncGenerator[Any, None]:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await upstream.read(_CHUNK_BYTES))
            continue
        yield event
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or event is h11.PAUSED:
            return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


def _parse_head(head: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    connection.receive_data(head)
    request = connection.next_event()
    assert isinstance(request, h11.Request)  # noqa: S101 - uvicorn has parsed it before
    return request


def _head(status: int, reason: str, headers: Headers, *, closes: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}".rstrip().encode("latin-1")]
    lines += [name + b": " + value for name, value in headers]
    if closes:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"", b""])
