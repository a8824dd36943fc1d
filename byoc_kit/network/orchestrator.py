"""A small BYOC orchestrator: it advertises the models of ``aiModels.json`` and starts streams on their containers.

It does for a stream what go-livepeer's ``byoc/stream_orchestrator.go`` does, without payment and signed jobs. Like
go-livepeer it leaves it to the container to refuse a stream above its capacity.
"""

import json
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from byoc_kit.core.capability import PIPELINE
from byoc_kit.errors import ByocKitError
from byoc_kit.network.capabilities import Capabilities, ExternalCapability
from byoc_kit.network.container_client import ContainerAnswer, ContainerClient, ContainerRefusedError
from byoc_kit.network.health_watch import POLL_INTERVAL_S, HealthWatch
from byoc_kit.network.models import ModelEntry
from byoc_kit.network.streams import KEEPALIVE_INTERVAL_S, Stream, StreamStatus, StreamUrls
from byoc_kit.system.concurrency import background
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.server import BASE_PATH


@dataclass(frozen=True)
class StartedStream:
    """A running stream and the URLs of its channels."""

    stream_id: str
    urls: StreamUrls


class ModelNotAdvertisedError(ByocKitError):
    """No model with this id is advertised now."""


class StreamNotFoundError(ByocKitError):
    """No stream with this id is running."""


class Orchestrator:
    """Advertises models while their containers are healthy, and runs streams on them, inside ``watching`` only.

    ``container_host`` replaces the host in the URLs that a container gets, for containers that cannot reach the
    orchestrator under the host where it serves (go-livepeer: ``-liveAITrickleHostForRunner``).
    """

    def __init__(
        self,
        entries: Iterable[ModelEntry],
        *,
        health_interval_s: float = POLL_INTERVAL_S,
        keepalive_interval_s: float = KEEPALIVE_INTERVAL_S,
        container_host: str | None = None,
        secret: str = "",
    ) -> None:
        self.models = {entry.model_id: entry for entry in entries}
        self.health = {
            model_id: HealthWatch(entry.url, interval_s=health_interval_s) for model_id, entry in self.models.items()
        }
        self.capabilities = Capabilities(secret)
        self.channels = Channels()
        self._keepalive_interval_s = keepalive_interval_s
        self._container_host = container_host
        self._streams: dict[str, _RunningStream] = {}
        self._containers: ContainerClient
        self.base_url: str

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Run the health polls, the trickle channels and the streams during the body."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            self._containers = ContainerClient(session)
            await stack.enter_async_context(self.channels.serving())
            for model_id, watch in self.health.items():
                await stack.enter_async_context(background(watch.run(session), name=f"health {model_id}"))
            stack.push_async_callback(self._close_streams)
            yield

    def advertised(self) -> list[ModelEntry]:
        """Return the models whose containers are ready now."""
        return [entry for model_id, entry in self.models.items() if self.health[model_id].is_ready]

    async def wait_advertised(self, model_id: str) -> None:
        """Return once the model is advertised."""
        await self.health[model_id].wait_ready()

    async def start_stream(self, model_id: str, params: dict[str, Any] | None = None) -> StartedStream:
        """Create the channels of a stream and start it on the model's container.

        Raises ModelNotAdvertisedError. Raises ContainerRefusedError, and deletes the channels, for a status above 399
        and for no answer at all.
        """
        model = self._advertised_model(model_id)
        stream = Stream(secrets.token_hex(8), model, self.channels, keepalive_interval_s=self._keepalive_interval_s)
        urls = stream.urls(f"{self.base_url}{BASE_PATH}")
        container_urls = urls.with_host(self._container_host) if self._container_host else urls
        body = json.dumps({**_start_request(stream.id, container_urls), "params": params}).encode()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(stream.open())
            answer = await self._containers.post_json(model, "/stream/start", stream.id, body)
            if not answer.is_success:
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    self.capabilities.remove(model_id)
                raise ContainerRefusedError(model_id, answer)
            self.capabilities.count(model_id, 1)
            stack.callback(self.capabilities.count, model_id, -1)
            self._streams[stream.id] = _RunningStream(stream, resources=stack.pop_all())
        return StartedStream(stream.id, urls)

    async def update_params(self, stream_id: str, body: bytes) -> ContainerAnswer:
        """Pass the client's JSON on to ``/stream/params`` unchanged."""
        stream = self._running(stream_id).stream
        return await self._containers.post_json(stream.model, "/stream/params", stream_id, body)

    async def stop_stream(self, stream_id: str, body: bytes = b"") -> ContainerAnswer:
        """Stop the stream on its container, then delete its channels, no matter what the container answers."""
        running = self._running(stream_id)
        del self._streams[stream_id]
        async with running.resources:
            return await self._containers.post_untyped(running.stream.model, "/stream/stop", stream_id, body)

    def stream_status(self, stream_id: str) -> StreamStatus:
        """Return the status of a running stream."""
        return self._running(stream_id).stream.status()

    def _advertised_model(self, model_id: str) -> ModelEntry:
        registered, model = self.capabilities.find(model_id), self.models.get(model_id)
        if registered is not None:
            return _model_of(registered)
        if model is None:
            known = ", ".join(self.models) or "none"
            msg = f"no model {model_id!r} in aiModels.json; it declares {known}"
            raise ModelNotAdvertisedError(msg)
        watch = self.health[model_id]
        if not watch.is_ready:
            msg = f"{model_id} is not advertised; {watch.url}/health: {watch.detail}"
            raise ModelNotAdvertisedError(msg)
        return model

    def _running(self, stream_id: str) -> "_RunningStream":
        running = self._streams.get(stream_id)
        if running is None:
            msg = f"no stream {stream_id!r} is running"
            raise StreamNotFoundError(msg)
        return running

    async def _close_streams(self) -> None:
        while self._streams:
            _, running = self._streams.popitem()
            await running.resources.aclose()


@dataclass(frozen=True)
class _RunningStream:
    stream: Stream
    resources: AsyncExitStack


def _model_of(capability: ExternalCapability) -> ModelEntry:
    """Return it as if it were declared; its values are as unchecked as in go-livepeer."""
    return ModelEntry.model_construct(
        pipeline=PIPELINE,
        model_id=capability.name,
        price_per_unit=capability.price_per_unit,
        url=capability.url.rstrip("/"),
        capacity=capability.capacity,
        token=capability.token or None,
    )


def _start_request(stream_id: str, urls: StreamUrls) -> dict[str, str]:
    return {
        "gateway_request_id": stream_id,
        "subscribe_url": urls.input,
        "publish_url": urls.output,
        "control_url": urls.control,
        "events_url": urls.events,
        "data_url": urls.data,
    }
