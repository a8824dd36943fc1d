"""A container in another process, as its own routes show it: what ``byoc-kit register`` registers."""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any

import aiohttp

from byoc_kit.registration.orchestrator import CallError, body_of
from byoc_kit.registration.streams import Seen
from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.connection import client_session

logger = logging.getLogger(__name__)

_ASK_AGAIN_S = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


class Container:
    """The streams of a container at a URL; ``token`` is what it demands of its callers."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def until_ready(self) -> None:
        """Return once ``/health`` is 200, and say once what it is waited for."""
        has_said = False
        while True:
            try:
                await self._ask("GET", "/health")
            except CallError as error:
                if not has_said:
                    logger.info("waiting for %s/health: %s", without_secrets(self._url), error)
                has_said = True
                await asyncio.sleep(_ASK_AGAIN_S)
            else:
                return

    async def look(self) -> Seen:
        """Return what there is now; a container that does not answer is not well."""
        try:
            status = json.loads(await self._ask("GET", "/stream/status"))
            streams = status["streams"]
            ids = tuple(str(stream["stream_id"]) for stream in streams if stream.get("is_live_session"))
            return Seen(ids, len(streams), is_well=status["status"] == "ok")
        except (CallError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.debug("%s does not say what it streams: %s", self._url, error)
            return Seen(is_well=False)

    def end(self, session_id: str) -> None:
        """Stop a session."""
        if session_id not in self._ending:
            self._ending[session_id] = task = asyncio.create_task(self._stop(session_id), name=f"end-{session_id}")
            task.add_done_callback(lambda _: self._ending.pop(session_id))

    async def _stop(self, session_id: str) -> None:
        try:
            await self._ask("POST", "/stream/stop", headers={"X-Stream-Id": session_id})
        except CallError as error:
            logger.warning(
                "the session %s, which its orchestrator has released, could not be ended: %s", session_id, error
            )

    async def _ask(self, method: str, path: str, *, headers: dict[str, str] | None = None) -> bytes:
        options: dict[str, Any] = {"headers": {**self._headers, **(headers or {})}, "timeout": _TIMEOUT}
        try:
            async with (
                client_session() as http,
                http.request(method, f"{self._url}{path}", allow_redirects=False, **options) as response,
            ):
                body = await body_of(response)
        except TimeoutError:
            text = f"no answer within {_TIMEOUT.total:g} s"
            raise CallError("timeout", text) from None
        except (aiohttp.ClientError, OSError) as error:
            raise CallError("connection", str(error)) from None
        if response.status != HTTPStatus.OK:
            raise CallError(f"http_{response.status}", f"HTTP {response.status}", status=response.status)
        return body
