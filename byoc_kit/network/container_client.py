"""Calls a container as go-livepeer's ``byoc/stream_orchestrator.go`` does."""

import json
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from byoc_kit.errors import ByocKitError
from byoc_kit.network.models import ModelEntry

_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
_LAST_SUCCESS_STATUS = 399


@dataclass(frozen=True)
class ContainerAnswer:
    """A container's answer, which is passed on unchanged."""

    status: int
    content_type: str
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether go-livepeer takes it as a success: any status up to 399."""
        return self.status <= _LAST_SUCCESS_STATUS


class ContainerRefusedError(ByocKitError):
    """The container did not start the stream; ``answer`` is its answer."""

    def __init__(self, model_id: str, answer: ContainerAnswer) -> None:
        text = answer.body.decode(errors="replace")
        super().__init__(f"the container of {model_id} did not start the stream: HTTP {answer.status}: {text}")
        self.answer = answer


class ContainerClient:
    """Posts to the stream routes of containers. Without an answer it returns a 500, as a gateway would see."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post_json(self, model: ModelEntry, path: str, stream_id: str, body: bytes) -> ContainerAnswer:
        """Post a body as ``application/json``."""
        return await self._post(model, path, {"X-Stream-Id": stream_id, "Content-Type": "application/json"}, body)

    async def post_untyped(self, model: ModelEntry, path: str, stream_id: str, body: bytes) -> ContainerAnswer:
        """Post a body without a Content-Type, as go-livepeer does to ``/stream/stop``."""
        return await self._post(model, path, {"X-Stream-Id": stream_id}, body)

    async def _post(self, model: ModelEntry, path: str, headers: dict[str, str], body: bytes) -> ContainerAnswer:
        if model.token is not None:
            headers["Authorization"] = f"Bearer {model.token}"
        url = model.url + path
        call = self._session.post(url, data=body, headers=headers, skip_auto_headers=["Content-Type"], timeout=_TIMEOUT)
        try:
            async with call as response:
                return ContainerAnswer(response.status, response.content_type, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            detail = json.dumps({"detail": f"no answer from {url}: {error or 'timed out'}"})
            return ContainerAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", detail.encode())
