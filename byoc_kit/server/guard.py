"""Who may call the server: callers with the token, and no web page without its reader's knowledge."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import socket
from collections.abc import Collection
from functools import cache

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from byoc_kit.core.capability import LIVE_RUNNER_HEALTH
from byoc_kit.server.requests import SESSION_ID_HEADER, refused
from byoc_kit.server.settings import ServerSettings
from byoc_kit.system.concurrency import on_thread

logger = logging.getLogger(__name__)

_READS = {hdrs.METH_GET, hdrs.METH_HEAD}
# Probes ask for the health, and an ai-worker for both before it starts a stream. No answer has anything secret.
_OPEN = {"/health", LIVE_RUNNER_HEALTH, "/version"}
_STARTS = {"start", "params", "live-video-to-video"}
# The types that a page may send to another server without that server's consent. No orchestrator sends them.
_OF_PAGES = {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}
# An orchestrator sends this header, and passes on its client's Origin and Content-Type. A page can send it only to a
# server that consents (https://fetch.spec.whatwg.org/#cors-preflight-fetch), and this one never does.
_OF_ORCHESTRATORS = SESSION_ID_HEADER


def guard(settings: ServerSettings, *, origins: Collection[str] = ()) -> Middleware:
    """Return a middleware that refuses callers without the token. If no token is set, it refuses web pages.

    Without a token it refuses a POST whose ``Origin`` is not in ``origins``. On a connection from this machine it also
    refuses a GET whose ``Host`` does not name this machine, because a page can make a name of its own point here. With
    the token, or through an orchestrator, a page may call. The first refusal for each reason is logged.
    """
    token = settings.token.get_secret_value() if settings.token is not None else None

    logged: set[str] = set()

    def refuse(request: web.Request, status: int, reason: str) -> web.Response:
        if reason not in logged:
            logged.add(reason)
            logger.warning("a %s of %s is refused: %s", request.method, request.path, reason)
        return refused(request, status, reason)

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = request.method == hdrs.METH_OPTIONS and bool(origins)
        if is_preflight or (request.method in _READS and request.path in _OPEN):
            return await handler(request)
        if token is not None and not _knows(request, token):
            response = refuse(request, 401, "send the token as Authorization: Bearer TOKEN")
            response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return response
        if token is None and (reason := await _page_refusal(request, origins)):
            return refuse(request, 403, reason)
        if (
            request.method == hdrs.METH_POST
            and request.path.rpartition("/")[2] in _STARTS
            and _has_type_of_pages(request)
        ):
            return refuse(request, 415, f"{request.content_type} is not taken; send Content-Type: application/json")
        return await handler(request)

    return checked


def _knows(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    is_token = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), token.encode())
    return is_token and scheme.lower() == "bearer"


async def _page_refusal(request: web.Request, origins: Collection[str]) -> str | None:
    """Return why a request is refused that a web page may have made; None if it is not."""
    origin = request.headers.get(hdrs.ORIGIN)
    is_of_page = origin is not None and request.method == hdrs.METH_POST and not _is_passed_on(request)
    if is_of_page and not {origin, "*"} & set(origins):
        return "web pages may not call this server; set BYOC_KIT_TOKEN, and let the page send it"
    # A browser names the page of each POST in Origin. Only for a GET the Host must tell.
    host = request.headers.get(hdrs.HOST, "localhost")
    if request.method in _READS and _is_local(request) and not await _means_this_machine(host):
        return "the host named is not this machine; ask by 127.0.0.1, or set BYOC_KIT_TOKEN and send it"
    return None


def _is_passed_on(request: web.Request) -> bool:
    """Whether an orchestrator sent it. A page of this very server needs no consent, so it does not count as one."""
    asked = request.headers.get(hdrs.ORIGIN, "").partition("://")[2]
    return _OF_ORCHESTRATORS in request.headers and asked != request.headers.get(hdrs.HOST)


def _has_type_of_pages(request: web.Request) -> bool:
    has_type = hdrs.CONTENT_TYPE in request.headers and request.content_type in _OF_PAGES
    return has_type and not _is_passed_on(request)


def _is_local(request: web.Request) -> bool:
    """Whether a request came to an address that only this machine can reach."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return isinstance(name, tuple) and _address(name[0]).is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(host.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


async def _means_this_machine(host: str) -> bool:
    """Whether a ``Host`` is an address, which nobody can point elsewhere, or a name of this machine."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        name = name.lower().removesuffix(".")
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return name in await on_thread(_own_names, name="own-names")
    return True


@cache
def _own_names() -> set[str]:
    """Return the names of this machine, with and without its domain. This asks the resolver, which may take a while.

    Only whole names count, because a page's own domain may have a host with the same first label.
    """
    own = socket.gethostname().lower()
    alone = own.partition(".")[0]
    return {own, alone, f"{alone}.local", socket.getfqdn(own).lower()}
