"""What the orchestrator sends, checked: every refusal names the field, in the form that the route's caller reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import AfterValidator, AnyHttpUrl, BaseModel, TypeAdapter, ValidationError

from byoc_kit.core.params import ParamsError, load_json, params_error, parse_changes
from byoc_kit.errors import cut
from byoc_kit.server.listener import REQUEST_TIMEOUT_S
from byoc_kit.system.addresses import without_secrets
from byoc_kit.system.concurrency import on_thread

AI_WORKER_ROUTE = "/live-video-to-video"
_AI_WORKER_KNOWS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY}


def refused(request: web.Request, status: int, message: str, *, field: str | None = None) -> web.Response:
    """Return a refusal; ``field`` names what does not fit.

    The ai-worker reads ``detail.msg``, and takes a status that it does not know for a success, so that 503 becomes 500.
    """
    said = f"{field}: {message}" if field else message
    if request.path == AI_WORKER_ROUTE:
        if status not in _AI_WORKER_KNOWS:
            is_of_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            status = HTTPStatus.INTERNAL_SERVER_ERROR if is_of_server else HTTPStatus.BAD_REQUEST
        return web.json_response({"detail": {"msg": said}}, status=status)
    content: dict[str, Any] = {"status": "error", "message": said} | ({"field": field} if field else {})
    return web.json_response(content, status=status)


@web.middleware
async def refused_by_the_router(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer an unknown path and a method that is not taken as every other refusal; aiohttp's answers are bare text."""
    error = request.match_info.http_exception
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        response = refused(request, error.status, f"{request.method} is not taken here; send {allowed}")
        response.headers[hdrs.ALLOW] = allowed
        return response
    if isinstance(error, web.HTTPNotFound):
        return refused(request, error.status, f"there is no {cut(request.path)}; GET / lists what there is")
    return await handler(request)


def bounded_bodies(most: int) -> Middleware:
    """Return a middleware that refuses bodies where those that are being read might take more than ``most`` bytes.

    A hundred clients that each send one slowly would fill the memory otherwise. A small one is always taken, so streams
    can be started and stopped. One that is packed is refused, since nothing here unpacks it.
    """
    taken = 0

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal taken
        coding = request.headers.get(hdrs.CONTENT_ENCODING, _UNPACKED)
        if request.body_exists and coding.lower() != _UNPACKED:
            said = f"a body in Content-Encoding {cut(coding)} is not taken; send it as it is"
            return refused(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, said)
        length = request.content_length if request.body_exists else 0
        takes = min(request.client_max_size if length is None else length, request.client_max_size)
        if takes > _LONG_BODY and taken + takes > most:
            return refused(request, HTTPStatus.SERVICE_UNAVAILABLE, "busy: too much is being sent at once; try again")
        taken += takes
        try:
            return await handler(request)
        finally:
            taken -= takes

    return bounded


T = TypeVar("T")

STREAM_ID_HEADER = "X-Stream-Id"
SESSION_ID_HEADER = "Livepeer-Session-Id"
LONGEST_ID = 255
_BODY = "body"
_UNPACKED = "identity"
_CHANNEL_URLS = ("subscribe_url", "publish_url", "control_url", "events_url", "data_url")
_KEEP_ALIVE = {"keep": "alive"}
_LONG_BODY = 100_000  # bytes; reading as much takes the event loop a millisecond or two

_HTTP_URL = TypeAdapter(AnyHttpUrl)


def _is_http_url(text: str) -> str:
    if not text.isprintable() or " " in text:  # pydantic leaves out line breaks, and takes what is left
        msg = "must be printable, without a space"
        raise ValueError(msg)
    _HTTP_URL.validate_python(text)
    return text


Url = Annotated[str, AfterValidator(_is_http_url)]


class BodyTooLargeError(ParamsError):
    """A body of more bytes than the server reads."""


class StartRequest(BaseModel):
    """The body of ``/stream/start`` and ``/live-video-to-video``; go-livepeer may add keys, which are ignored."""

    gateway_request_id: str
    control_url: Url | None = None
    events_url: Url | None = None
    subscribe_url: Url | None = None
    publish_url: Url | None = None
    data_url: Url | None = None
    stream_id: str | None = None
    params: Any = None

    def channels(self) -> str:
        """Say in a line which channels there are, without what a URL keeps secret."""
        urls = {"from": self.subscribe_url, "to": self.publish_url, "data to": self.data_url}
        said = [f"{name} {without_secrets(url)}" for name, url in urls.items() if url]
        return ", ".join(said) or "no input and no output"


def parse_start(body: bytes, *, session_id: str | None = None) -> StartRequest:
    """Parse a start request. Raises ``ParamsError`` naming the field.

    In a session of a Live Runner the session names the request, and there may be no body. It is the client's: an
    address in it would let any client reach what only the container can, and keep its stream when the session is over.
    """
    content = {} if session_id and not body.strip() else load_json(body, field=_BODY)
    if not isinstance(content, dict):
        reason = "must be a JSON object"
        raise ParamsError(_BODY, reason)
    if session_id is not None:
        if named := next((url for url in _CHANNEL_URLS if content.get(url) is not None), None):
            reason = "is not taken in a session of a Live Runner: the container makes its channels; leave it out"
            raise ParamsError(named, reason)
        content = {"gateway_request_id": session_id, **content}
    try:
        start = StartRequest.model_validate(content)
    except ValidationError as error:
        raise params_error(error) from None
    return start.model_copy(update={"params": parse_changes(start.params)})


def within_params(error: ParamsError) -> ParamsError:
    """Return an error of a parameter with its place in the request."""
    is_placed = error.field == "params" or error.field.startswith("params.")
    field = error.field if is_placed else f"params.{error.field}"
    return ParamsError(field, error.reason)


def parse_params(body: bytes) -> dict[str, Any]:
    """Parse changed parameters. Raises ``ParamsError`` naming the field."""
    return parse_changes(load_json(body, field=_BODY))


def parse_control(message: bytes) -> dict[str, Any]:
    """Parse a message of the control channel; one that only keeps the channel alive changes nothing.

    Raises ``ParamsError`` naming the field.
    """
    content = load_json(message, field="message")
    return {} if content == _KEEP_ALIVE else parse_changes(content)


async def read_body(request: web.Request) -> bytes:
    """Return a request's body. Raises ``ParamsError`` if it does not come whole, in time, or is too large."""
    return await received(request, request.read())


async def received(request: web.Request, reading: Awaitable[T]) -> T:
    """Return what is read of a request's body; raises ``ParamsError`` as ``read_body`` does."""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return await reading
    except TimeoutError:
        reason = f"did not come within {REQUEST_TIMEOUT_S:.0f} s"
        raise ParamsError(_BODY, reason) from None
    except (ConnectionError, web.RequestPayloadError) as error:
        reason = f"broke off: {error}"
        raise ParamsError(_BODY, reason) from None
    except web.HTTPRequestEntityTooLarge:
        reason = f"is larger than {request.client_max_size} bytes"
        raise BodyTooLargeError(_BODY, reason) from None


async def parsed(body: bytes, parse: Callable[[bytes], T]) -> T:
    """Parse a body, a long one on a thread: the event loop serves the other streams."""
    if len(body) <= _LONG_BODY:
        return parse(body)
    return await on_thread(lambda: parse(body), name="parse")


def started_stream(request: web.Request, start: StartRequest) -> str:
    """Return the id of a stream that is to start. Raises ``ParamsError``, naming where it came from."""
    given = (
        (STREAM_ID_HEADER, request.headers.get(STREAM_ID_HEADER)),
        ("stream_id", start.stream_id),
        ("gateway_request_id", start.gateway_request_id),
    )
    field, stream_id = next(((field, value) for field, value in given if value), ("gateway_request_id", ""))
    if not stream_id.isprintable() or len(stream_id) > LONGEST_ID:  # it is shown, and a label of the metrics
        reason = f"must be {LONGEST_ID} printable characters at most"
        raise ParamsError(field, reason)
    return stream_id


def stream_of(request: web.Request) -> str | None:
    """Return the stream that a request's headers name, if they name one.

    In a Live Runner session it can be no other than the session's own: clients write the other header themselves.
    """
    headers = request.headers
    return headers.get(SESSION_ID_HEADER) or headers.get(STREAM_ID_HEADER) or None


def named_stream(body: bytes) -> str | None:
    """Return the stream that the body of a stop names, as far as it is JSON and names one."""
    try:
        content = load_json(body, field=_BODY)
    except ParamsError:
        return None
    named = content.get("stream_id") if isinstance(content, dict) else None
    return named if isinstance(named, str) and named else None
