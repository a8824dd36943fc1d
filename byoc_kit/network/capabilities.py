"""The capabilities that containers register themselves, by the rules of go-livepeer's ``byoc/job_orchestrator.go``.

It has no payment, and takes prices in wei and eth only.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from byoc_kit.errors import ByocKitError
from byoc_kit.network.go_json import GoJsonError, decode

logger = logging.getLogger(__name__)


class CapabilityError(ByocKitError):
    """A refused call; go-livepeer answers each with status 400 and a text."""


@dataclass(frozen=True)
class ExternalCapability:
    """The body of ``/capability/register``. ``load`` counts the running streams, and ``capacity`` does not limit it."""

    name: str = ""
    description: str = ""
    url: str = ""
    capacity: int = 0
    price_per_unit: int = 0
    price_scaling: int = 0
    currency: str = ""
    token: str = ""
    load: int = 0


class Capabilities:
    """Registered capabilities. ``secret`` is go-livepeer's ``-orchSecret``; an empty one takes calls without one."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._by_name: dict[str, ExternalCapability] = {}

    def __iter__(self) -> Iterator[ExternalCapability]:
        return iter(list(self._by_name.values()))

    def register(self, body: bytes, authorization: str) -> None:
        """Register a capability. It replaces one of the same name, and the count of its streams starts at 0."""
        self._check(authorization)
        try:
            given = decode(body, ExternalCapability, only=True)
        except GoJsonError as error:
            msg = f"Error registering capability: {error}"
            raise CapabilityError(msg) from error
        self._by_name[given.name] = replace(given, price_scaling=given.price_scaling or 1)
        logger.info("the capability %s is registered at %s", given.name, given.url)

    def unregister(self, name: str, authorization: str) -> None:
        """Remove the capability of exactly this name; an unknown name is no error."""
        self._check(authorization)
        self.remove(name)

    def find(self, name: str) -> ExternalCapability | None:
        """Return a capability by its name."""
        return self._by_name.get(name)

    def remove(self, name: str) -> None:
        """Remove a capability, without a check of the secret."""
        if self._by_name.pop(name, None) is not None:
            logger.info("the capability %s is removed", name)

    def count(self, name: str, change: int) -> None:
        """Count a stream that has begun (1) or ended (-1), if the capability is still there."""
        if (found := self._by_name.get(name)) is not None:
            self._by_name[name] = replace(found, load=max(0, found.load + change))

    def forget_all(self) -> None:
        """Forget all, as a node that is restarted does."""
        self._by_name.clear()

    def _check(self, authorization: str) -> None:
        if authorization != self._secret:
            msg = "invalid authorization\n"
            raise CapabilityError(msg)


def capability_router(capabilities: Capabilities) -> APIRouter:
    """Return the routes by which containers register."""
    router = APIRouter()

    @router.post("/capability/register")
    async def register(request: Request) -> Response:
        capabilities.register(await request.body(), request.headers.get("Authorization", ""))
        return Response(b"ok", media_type="application/json")  # as go-livepeer labels it

    @router.post("/capability/unregister")
    async def unregister(request: Request) -> Response:
        name = (await request.body()).decode(errors="surrogateescape")
        capabilities.unregister(name, request.headers.get("Authorization", ""))
        return Response(b"ok", media_type="application/json")

    return router


async def answer_refused(_: Request, error: Exception) -> Response:
    """Answer a refused call with its text."""
    return PlainTextResponse(str(error), status_code=400)
