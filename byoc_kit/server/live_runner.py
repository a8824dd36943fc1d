"""A session of a Live Runner: what the orchestrator says of it with each request, and what it can be asked for.

go-livepeer's errors are texts; they are shown as they came, but for the session's token.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, TypeAdapter, ValidationError

from byoc_kit.core.params import ParamsError
from byoc_kit.errors import ByocKitError, cut
from byoc_kit.server.requests import LONGEST_ID, SESSION_ID_HEADER, StartRequest, Url, refused
from byoc_kit.system.addresses import origin_of, without_secrets
from byoc_kit.trickle.connection import client_session, end_of_channel, reason_of
from byoc_kit.trickle.protocol import DATA_TYPE

_ROUTE_HEADER = "Livepeer-Runner-Route"
_TOKEN_HEADER = "Livepeer-Session-Token"  # noqa: S105  # a name, not a token
_CONTROL_HEADER = "Livepeer-Session-Control"
_HEADERS = (SESSION_ID_HEADER, _ROUTE_HEADER, _TOKEN_HEADER, _CONTROL_HEADER)

CHANNELS = {
    "in": "video/mp2t",
    "out": "video/mp2t",
    "control": "application/json",
    "events": "application/json",
    "data": DATA_TYPE,
}
"""The channels of a stream, with the types that go-livepeer gives them."""

_TIMEOUT_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=_TIMEOUT_S)
_RELEASE_PAUSES_S = (0.5, 2.0, 8.0, 30.0)
_MOST_NAMES = 20  # of one channel in one session
_MAX_ANSWER = 65_536  # bytes; five channels are a tenth of that
_HAS_LEFT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)  # an orchestrator that has restarted knows no old token

_URL: TypeAdapter[str] = TypeAdapter(Url)

logger = logging.getLogger(__name__)


class CallbackError(ByocKitError):
    """The orchestrator did not do what a session asked of it."""


def live_session(request: web.Request, orchestrator_url: str | None) -> LiveSession | None:
    """Return the session that a request belongs to; ``None`` where no orchestrator of Live Runners passes it on.

    Raises ``ParamsError`` naming a header that does not fit. ``orchestrator_url`` is the one that may be called back.
    """
    given = {name: request.headers.getall(name, []) for name in _HEADERS}
    if not any(given.values()):
        return None
    session_id, _, token, control = (_only(name, values) for name, values in given.items())
    if len(session_id) > LONGEST_ID:
        reason = f"must be {LONGEST_ID} characters at most"
        raise ParamsError(SESSION_ID_HEADER, reason)
    try:
        theirs = origin_of(_URL.validate_python(control))
    except ValueError:
        reason = "must be an http or https URL"
        raise ParamsError(_CONTROL_HEADER, reason) from None
    if orchestrator_url is not None and theirs != (ours := origin_of(orchestrator_url)):
        reason = f"leads to {theirs}, and BYOC_KIT_ORCHESTRATOR_URL to {ours}"
        raise ParamsError(_CONTROL_HEADER, reason)
    return LiveSession(session_id, control, token)


def _only(name: str, values: list[str]) -> str:
    if len(values) != 1:
        came = "is missing" if not values else f"came {len(values)} times"
        reason = f"{came}; an orchestrator sends each of {', '.join(_HEADERS)} once"
        raise ParamsError(name, reason)
    [value] = values
    if not (value and value.isascii() and value.isprintable()) or " " in value:
        reason = "must be printable ASCII characters without a space"  # the value is not shown: it may be the token
        raise ParamsError(name, reason)
    return value


def check_sessions(orchestrator_url: str | None, check_owner: Callable[[LiveSession], None]) -> Middleware:
    """Return a middleware that refuses a request of no proper session, though it says so.

    ``check_owner`` raises ``ByocKitError`` for a session whose id another one has. The first refusal for each header is
    logged.
    """
    logged: set[str] = set()

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            session = live_session(request, orchestrator_url)
            if session is not None:
                check_owner(session)
        except ParamsError as error:
            if error.field not in logged:
                logged.add(error.field)
                logger.warning("a Live Runner's session is refused: %s: %s", error.field, error.reason)
            return refused(request, 400, error.reason, field=error.field)
        except ByocKitError as error:
            return refused(request, 503, str(error))
        return await handler(request)

    return checked


class LiveSession:
    """One session: opened once for its stream, and released at its end. ``urls`` has what its client gets.

    The token is the session's secret: it goes to the orchestrator that gave it, and nowhere else.
    """

    def __init__(self, session_id: str, control_url: str, token: str) -> None:
        self.id = session_id
        self.urls: dict[str, str] = {}
        self._control_url = control_url.rstrip("/")
        self._token = token
        self._opened: StartRequest | None = None

    def is_same(self, other: LiveSession) -> bool:
        """Whether another request is of this very session, and not of one that has the same id elsewhere."""
        return hmac.compare_digest(self._token.encode(), other._token.encode())

    async def open(self, request: StartRequest) -> StartRequest:
        """Make the session's channels, once, and return a start request with their addresses for the container.

        Raises ``CallbackError``; no channel is left then.
        """
        if self._opened is None:
            async with client_session() as http:
                callbacks = self._callbacks(http)
                try:
                    made = await callbacks.make_channels()
                except CallbackError:
                    await callbacks.delete_channels()
                    raise
            self.urls = {role: channel.url for role, channel in made.items()}
            own = {role: channel.internal_url for role, channel in made.items()}
            self._opened = request.model_copy(
                update={
                    "subscribe_url": own["in"],
                    "publish_url": own["out"],
                    "control_url": own["control"],
                    "events_url": own["events"],
                    "data_url": own["data"],
                }
            )
        return self._opened

    async def release(self) -> None:
        """Give the place of the session back, where its client has not; tries again for a while.

        Nothing else does: go-livepeer keeps a session for ever. Raises ``CallbackError``.
        """
        async with client_session() as http:
            for pause_s in (*_RELEASE_PAUSES_S, None):
                try:
                    await self._callbacks(http).stop()
                except CallbackError:
                    if pause_s is None:
                        raise
                    await asyncio.sleep(pause_s)
                else:
                    return

    def _callbacks(self, http: aiohttp.ClientSession) -> _Callbacks:
        return _Callbacks(http, self._control_url, self._token)


class Channel(BaseModel):
    """A channel as the orchestrator describes it: ``url`` is for clients, ``internal_url`` for the container."""

    name: str
    url: Url
    internal_url: Url


class _Made(BaseModel):
    channels: list[Channel]


class _Callbacks:
    """What a container can ask of the orchestrator for one session. Each method raises ``CallbackError``."""

    def __init__(self, http: aiohttp.ClientSession, control_url: str, token: str) -> None:
        self._http = http
        self._control_url = control_url
        self._token = token
        self._names: list[str] = []

    async def make_channels(self) -> dict[str, Channel]:
        """Make one of each of ``CHANNELS``.

        A name whose channel has died for want of a write is lost for the session, so another name takes its place.
        """
        made: dict[str, Channel] = {}
        names = {role: role for role in CHANNELS}
        for number in range(2, _MOST_NAMES + 2):
            for role, channel in (await self._create(names)).items():
                if await self._is_alive(channel):
                    made[role] = channel
                else:
                    self._names.remove(channel.name)
            names = {role: f"{role}-{number}" for role in CHANNELS if role not in made}
            if not names:
                return made
        msg = f"all {_MOST_NAMES} names of the channel {next(iter(names))} are used up; reserve another session"
        raise CallbackError(msg)

    async def delete_channels(self) -> None:
        """Delete the channels that were made here; those that cannot be end with the session."""
        if not self._names:
            return
        try:
            await self._ask(hdrs.METH_DELETE, "channels", "did not delete the channels", {"channels": self._names})
        except CallbackError as error:
            logger.info("%s", error)

    async def stop(self) -> None:
        """Release the session; one that is gone is no failure."""
        await self._ask(hdrs.METH_POST, "stop", "did not release the session", is_done=_HAS_LEFT)

    async def _create(self, names: dict[str, str]) -> dict[str, Channel]:
        asked = [{"name": name, "mime_type": CHANNELS[role]} for role, name in names.items()]
        what = "did not make the session's channels"
        answer = await self._ask(hdrs.METH_POST, "channels", what, {"channels": asked})
        try:
            by_name = {channel.name: channel for channel in _Made.model_validate_json(answer).channels}
            made = {role: by_name[name] for role, name in names.items()}
        except (ValidationError, KeyError):
            msg = f"the orchestrator {what}: its answer has no list of them"
            raise CallbackError(msg) from None
        self._names += names.values()
        return made

    async def _is_alive(self, channel: Channel) -> bool:
        """Whether a channel takes segments; the orchestrator names one that its trickle server has closed, too."""
        url, shown = f"{channel.internal_url}/next", without_secrets(channel.internal_url)
        try:
            async with self._http.get(url, timeout=_TIMEOUT, allow_redirects=False) as answer:
                return end_of_channel(answer) is None
        except (aiohttp.ClientError, OSError) as error:
            msg = f"the channel {channel.name} cannot be reached at {shown}: {_reason(error)}"
            raise CallbackError(msg) from None

    async def _ask(
        self, method: str, path: str, what: str, content: Any = None, *, is_done: Collection[int] = ()
    ) -> bytes:
        """Return the answer to a callback. ``what`` is what the orchestrator has not done where it is no success."""
        headers = {_TOKEN_HEADER: self._token}
        try:
            async with self._http.request(
                method,
                f"{self._control_url}/{path}",
                json=content,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,  # who is led to would get the token
            ) as answer:
                body = await _read(answer)
        except (aiohttp.ClientError, OSError) as error:
            reason = _reason(error)
        else:
            if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.status in is_done:
                return body
            reason = self._said(answer, body)
        msg = f"the orchestrator {what}: {reason}"
        raise CallbackError(msg)

    def _said(self, answer: aiohttp.ClientResponse, body: bytes) -> str:
        """Return what an answer says, in a line."""
        status = f"HTTP {answer.status}"
        if answer.status < HTTPStatus.BAD_REQUEST:
            return f"{status}, a redirect, which is not followed"
        if answer.content_type == "text/html":
            return f"{status} with a web page, so something else answers there"
        text = " ".join(body.decode(errors="replace").split()).replace(self._token, "TOKEN")
        return f"{status}: {cut(text)}" if text else status


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return what an answer brings, up to ``_MAX_ANSWER`` bytes."""
    try:
        return await answer.content.readexactly(_MAX_ANSWER)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it has not answered within {_TIMEOUT_S:g} s"
    return reason_of(error)
