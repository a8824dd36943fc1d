"""What the container is, and how it is: the routes that people, probes and orchestrators ask before anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web
from pydantic import BaseModel, PydanticUserError

from byoc_kit import __version__
from byoc_kit.core.capability import LIVE_RUNNER_HEALTH, PIPELINE
from byoc_kit.server.health import Contract
from byoc_kit.server.requests import refused
from byoc_kit.system.concurrency import on_thread

if TYPE_CHECKING:  # it makes an About
    from byoc_kit.server.stream_server import StreamServer

UNVERSIONED = "0.0.0"
"""The version of a capability that names none; go-livepeer says the same of a container without ``/version``."""


def version_content(model_id: str, version: str, *, pipeline: str = PIPELINE) -> dict[str, str]:
    """Return the answer to ``GET /version``; one that is no JSON ends go-livepeer's node."""
    return {"pipeline": pipeline, "model_id": model_id, "version": version}


class About:
    """The routes of a server that say what it is. They change nothing."""

    def __init__(self, server: StreamServer) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return them, to be added to the server's app."""
        return [
            web.get("/", self._index),
            web.get("/health", self._health),
            web.get(LIVE_RUNNER_HEALTH, self._live_runner_health),
            web.get("/version", self._version),
            web.get("/app-version", self._app_version),
            web.get("/params/schema", self._params_schema),
            web.get("/hardware/info", self._hardware_info),
            web.get("/hardware/stats", self._hardware_stats),
        ]

    async def _index(self, _: web.Request) -> web.Response:
        """Say all of it, to a person who opens the container's address."""
        server = self._server
        routes = (route for route in server.app.router.routes() if route.method != hdrs.METH_HEAD)
        content = {
            "model_id": server.capability_name,
            "version": server.version,
            "byoc_kit": __version__,
            "pipeline": server.pipeline,
            "contract": server.settings.contract,
            "capacity": server.sessions.capacity,
            "routes": [f"{route.method} {route.resource.canonical}" for route in routes if route.resource],
            "params": self._schema(),
        }
        return web.json_response(content)

    async def _health(self, _: web.Request) -> web.Response:
        return self._server.health(self._server.settings.contract)

    async def _live_runner_health(self, _: web.Request) -> web.Response:
        return self._server.health(Contract.LIVE_RUNNER)

    async def _version(self, _: web.Request) -> web.Response:
        server = self._server
        content = version_content(server.capability_name, server.version, pipeline=server.pipeline)
        return web.json_response(content)

    async def _app_version(self, _: web.Request) -> web.Response:
        """Answer as pytrickle's server does."""
        return web.json_response({"version": self._server.version})

    async def _params_schema(self, request: web.Request) -> web.Response:
        schema = self._schema()
        if schema is None:
            return refused(request, 404, "JSON cannot describe a type of these parameters, so they have no schema")
        return web.json_response(schema)

    def _schema(self) -> dict[str, Any] | None:
        """Return the parameters' schema; ``None`` where a type of the notebook's own has none."""
        try:
            schema: dict[str, Any] = self._server.frame_processor.hooks.params_type.model_json_schema()
        except PydanticUserError:
            return None
        return schema

    async def _hardware_info(self, _: web.Request) -> web.Response:
        return await self._gpus("gpu_info", self._server.hardware_info.get_gpu_compute_info)

    async def _hardware_stats(self, _: web.Request) -> web.Response:
        return await self._gpus("gpu_stats", self._server.hardware_info.get_gpu_utilization_stats)

    async def _gpus(self, name: str, ask: Callable[[], dict[int, BaseModel]]) -> web.Response:
        """Answer what the driver says of each GPU, by its number; asked on a thread, since a driver may take seconds.

        There are none where there is no driver.
        """
        server = self._server
        gpus = {number: gpu.model_dump() for number, gpu in (await on_thread(ask, name="gpus")).items()}
        return web.json_response({"pipeline": server.pipeline, "model_id": server.capability_name, name: gpus})
