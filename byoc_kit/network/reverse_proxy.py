"""Forwards a session's requests to its container, as Go's ``httputil.ReverseProxy`` does.

Method, path, raw query, headers and body are forwarded unchanged while they arrive, and so is the answer. That includes
event streams and bodies of unknown length. There is no time limit.
"""

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

import aiohttp
import yarl
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from byoc_kit.network.runner_records import RunnerError
from byoc_kit.network.runner_urls import split_http_url
from byoc_kit.system.concurrency import until_either

Headers = list[tuple[bytes, bytes]]

_OF_ONE_HOP = {
    b"connection",
    b"proxy-connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# Go hides from the container for whom a request is forwarded, and gives it its own host. ``Expect: 100-continue`` has
# been answered here already.
_OF_THE_CLIENT = {b"host", b"expect", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
_SKIPPED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

_PATH_SAFE = "/$&+,:;=@-_.~"
_VALID_PATH = re.compile(r"(?:[A-Za-z0-9/\-_.~!$&'()*+,;=:@\[\]]|%[0-9A-Fa-f]{2})*")
MAX_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Forwarding:
    """Where one request goes: the container's URL, the path after it, and headers that name the session.

    ``close`` is called when the request has ended.
    """

    url: str
    app_path: str
    headers: dict[str, str]
    close: Callable[[], None] = lambda: None

    @property
    def host(self) -> str:
        """Return the container's host and port."""
        parts = split_http_url(self.url)
        if parts is None:
            raise RunnerError(502, f"invalid URL {self.url}")
        return parts.netloc.rpartition("@")[2]

    @property
    def is_tls(self) -> bool:
        """Whether the container speaks TLS."""
        return self.url[:6].lower() == "https:"

    def target(self, query: bytes) -> str:
        """Return path and query to send; raises RunnerError 502 for a path that Go cannot join."""
        parts = split_http_url(self.url)
        path = forwarded_path(unquote(parts.path) if parts else "", self.app_path)
        return path + (f"?{query.decode('latin-1')}" if query else "")

    def replace_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Return the client's headers as they are forwarded."""
        ours = {name.lower().encode() for name in self.headers}
        kept = [(name, value) for name, value in end_to_end(headers) if name.lower() not in ours | _OF_THE_CLIENT]
        return [*kept, *((name.encode(), value.encode()) for name, value in self.headers.items())]


def forwarded_path(base: str, app_path: str) -> str:
    """Return the path to send, from the decoded paths of the container's URL and of the request.

    It is cleaned, and escaped once more than needed. go-livepeer does so too: it puts the result of ``url.JoinPath``,
    which is escaped, where a decoded path belongs.
    """
    joined = posixpath.normpath("/".join(["", *(part for part in (base.strip("/"), app_path) if part)]) or "/")
    joined = "/" + joined.lstrip("/")
    if (app_path or base).endswith("/") and app_path and not joined.endswith("/"):
        joined += "/"
    if bad := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", joined):
        raise RunnerError(502, f'invalid URL escape "{bad.group()}"')
    once = joined if _VALID_PATH.fullmatch(joined) else quote(unquote(joined), safe=_PATH_SAFE)
    return quote(once, safe=_PATH_SAFE)


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return headers without those that concern one connection only."""
    headers = list(headers)
    named = {
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    }
    return [(name, value) for name, value in headers if name.lower() not in _OF_ONE_HOP | named]


def client_session() -> aiohttp.ClientSession:
    """Return a client that forwards everything unchanged, and opens a connection for each request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=MAX_HEAD_BYTES,
        max_field_size=MAX_HEAD_BYTES,
    )


def text_error(error: RunnerError) -> PlainTextResponse:
    """Return the answer that Go's ``http.Error`` makes."""
    return PlainTextResponse(f"{error}\n", status_code=error.status, headers={"X-Content-Type-Options": "nosniff"})


async def forward(http: aiohttp.ClientSession, to: Forwarding, scope: Scope, receive: Receive, send: Send) -> None:
    """Forward an HTTP request and its answer, until the client leaves. Without an answer, send a 502 with a text."""
    body = _RequestBody(scope, receive)
    await until_either(_exchange(http, to, body, scope, send), body.wait_disconnected())


async def _exchange(
    http: aiohttp.ClientSession, to: Forwarding, body: "_RequestBody", scope: Scope, send: Send
) -> None:
    is_started = False
    try:
        scheme = "https" if to.is_tls else "http"
        url = yarl.URL(f"{scheme}://{to.host}{to.target(scope['query_string'])}", encoded=True)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in to.replace_headers(scope["headers"])
        ]
        call = http.request(
            scope["method"],
            url,
            headers=headers,
            data=body.chunks() if body.is_there else None,
            skip_auto_headers=_SKIPPED,
            allow_redirects=False,
        )
        async with call as response:
            kept = [pair for pair in end_to_end(response.raw_headers) if pair[0].lower() != b"date"]
            await send({"type": "http.response.start", "status": response.status, "headers": kept})
            is_started = True
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    except (aiohttp.ClientError, OSError, RunnerError) as error:
        if is_started:
            return  # uvicorn closes the connection before the answer's end, which tells the client
        refused = error if isinstance(error, RunnerError) else RunnerError(502, str(error) or type(error).__name__)
        await text_error(refused)(scope, body.receive, send)


class _RequestBody:
    """The body of an ASGI request; it also notices when the client leaves."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self.receive = receive
        self.is_there = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        self._is_read = asyncio.Event()
        if not self.is_there:
            self._is_read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body while it arrives."""
        try:
            more = True
            while more:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                if chunk := message.get("body", b""):
                    yield chunk
                more = message.get("more_body", False)
        finally:
            self._is_read.set()

    async def wait_disconnected(self) -> None:
        """Return when the client has left. That can be seen only after the body has been read."""
        await self._is_read.wait()
        while (await self.receive())["type"] != "http.disconnect":
            pass
