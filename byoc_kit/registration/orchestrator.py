"""Calls of an orchestrator that carry a secret: no redirect is followed, and no secret is in what is said of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import hdrs

from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import without_secrets
from byoc_kit.trickle.connection import end_of_channel, sequence_number
from byoc_kit.trickle.protocol import LATEST_HEADER, SEQ_HEADER

_MAX_ANSWER = 1 << 20  # bytes
_LONGEST_SAID = 200  # characters of what an orchestrator says of an error


class CallError(ByocKitError):
    """A call that has not succeeded: ``reason`` in a word, for the metrics, and the ``status`` of an answer."""

    def __init__(self, reason: str, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether the orchestrator has read the request, and does not want it."""
        return self.status is not None and HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_unknown_runner(self) -> bool:
        """Whether it may have forgotten the runner: its documentation says 404, and after its sweep it says 401."""
        return self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)


class Orchestrator:
    """Posts to an orchestrator. An answer may repeat ``secrets``; they are left out of what is said of it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, *, secrets: Iterable[str] = ()) -> None:
        self._http = http
        self._url = url
        self._secrets = {secret for secret in secrets if secret}
        self._given = ""

    def learned(self, secret: str) -> None:
        """Leave out the secret that the orchestrator has given, instead of the one that it gave before."""
        self._given = secret

    async def post(self, path: str, body: bytes, secret: str, *, timeout_s: float) -> bytes:
        """Post a body and return the answer's. Raises ``CallError`` for anything but a success."""
        headers = {hdrs.AUTHORIZATION: secret, hdrs.CONTENT_TYPE: "application/json"}
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        call = self._http.post(f"{self._url}{path}", data=body, headers=headers, timeout=timeout, allow_redirects=False)
        try:
            async with call as response:
                answer = await body_of(response)
                if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    return answer
                raise CallError(f"http_{response.status}", self._said(response, answer), status=response.status)
        except TimeoutError:
            text = f"no answer within {timeout_s:g} s"
            raise CallError("timeout", text) from None
        except (aiohttp.ClientError, OSError) as error:
            raise CallError("connection", self.clean(str(error) or type(error).__name__)) from None

    async def post_json(self, path: str, content: dict[str, Any], secret: str, *, timeout_s: float) -> dict[str, Any]:
        """Post JSON and return the JSON object that answers it."""
        answer = await self.post(path, json.dumps(content).encode(), secret, timeout_s=timeout_s)
        return _object_of(answer)

    async def signals(self, url: str, *, pause_s: float) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the messages of a channel that may lose some. Its URL is a secret, so nothing of it is logged."""
        seq = 0
        while True:
            with suppress(aiohttp.ClientError, OSError, CallError):
                async with self._http.get(f"{url}/{seq}", allow_redirects=False) as answer:
                    if end_of_channel(answer):
                        return
                    if answer.status == HTTPStatus.OK:
                        seq = sequence_number(answer, SEQ_HEADER, seq) + 1
                        yield _object_of(await body_of(answer))
                        continue
                    seq = sequence_number(answer, LATEST_HEADER, seq)
            await asyncio.sleep(pause_s)  # not between messages: each answer comes when there is one

    def _said(self, response: aiohttp.ClientResponse, body: bytes) -> str:
        """Return what is wrong, with the first line of a text; of a web page only that it is one."""
        if response.status < HTTPStatus.BAD_REQUEST:
            to = without_secrets(response.headers.get(hdrs.LOCATION, ""))
            return f"HTTP {response.status}, a redirect to {self.clean(to)}, which is not followed"
        if response.content_type == "text/html":
            return f"HTTP {response.status}, a web page"
        first = body.decode(errors="replace").strip().partition("\n")[0]
        return f"HTTP {response.status}: {self.clean(first)}" if first else f"HTTP {response.status}"

    def clean(self, text: str) -> str:
        """Return a text from elsewhere as it may be shown: without the secrets, and not at length."""
        for secret in {*self._secrets, self._given} - {""}:
            text = text.replace(secret, "***")
        return text[:_LONGEST_SAID]


async def body_of(response: aiohttp.ClientResponse) -> bytes:
    """Return an answer's body. Raises ``CallError`` for one that is too large."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise CallError("bad_answer", f"its answer is larger than {_MAX_ANSWER} bytes")
    return bytes(body)


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise CallError("bad_answer", "its answer is no JSON object")
    return read
