"""The orchestrator's HTTP routes, thin over ``Orchestrator``, and serving them inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from byoc_kit.network.certificate import Certificate
from byoc_kit.network.container_client import ContainerAnswer, ContainerRefusedError
from byoc_kit.network.live_runners import LiveRunners
from byoc_kit.network.orchestrator import ModelNotAdvertisedError, Orchestrator, StreamNotFoundError
from byoc_kit.network.runner_routes import add_live_runners
from byoc_kit.network.streams import StreamStatus
from byoc_kit.network.websocket_tunnel import WebSocketTunnel
from byoc_kit.system.addresses import listen, url_of
from byoc_kit.trickle.server import BASE_PATH, trickle_router

GRACE_S = 1


@asynccontextmanager
async def serving(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    websockets: Callable[..., asyncio.Protocol] | None = None,
    certificate: Certificate | None = None,
) -> AsyncIterator[str]:
    """Serve an app while the body runs and give its base URL, also in ``app.state``; port 0 takes a free one.

    ``websockets`` makes what takes over a connection that asks for an upgrade; with a ``certificate``, all is TLS.
    Signals stay with the caller. On leaving, the app's lifespan ends first, so that an app can end its own open
    streams; a response that is still open after ``GRACE_S`` is cancelled.
    """
    with listen(host, port) as listener:
        # What it accepts inherits this, which asyncio does not set here: a picture would wait 40 ms otherwise.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        base_url = url_of(listener)
        app.state.base_url = base_url.replace("http:", "https:", 1) if certificate else base_url
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws=cast("type[asyncio.Protocol]", websockets) if websockets else "none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=certificate.certificate if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        server = _Server(config)
        task = None
        try:
            async with app.router.lifespan_context(app):
                task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
                yield app.state.base_url
        finally:
            server.should_exit = True
            if task is not None:
                await task


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class StartRequest(BaseModel):
    """What a caller sends to start a stream."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    params: dict[str, Any] | None = None


@asynccontextmanager
async def serve_orchestrator(
    orchestrator: Orchestrator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    live_runners: LiveRunners | None = None,
    certificate: Certificate | None = None,
) -> AsyncIterator[str]:
    """Serve an orchestrator's HTTP routes and watch its containers while the body runs; gives the base URL."""
    websockets = partial(WebSocketTunnel, live_runners.find_app) if live_runners is not None else None
    app = create_app(orchestrator, live_runners)
    async with serving(app, host=host, port=port, websockets=websockets, certificate=certificate) as base_url:
        yield base_url


def create_app(orchestrator: Orchestrator, live_runners: LiveRunners | None = None) -> FastAPI:
    """Return the app of an orchestrator, the trickle server under ``BASE_PATH`` included."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        orchestrator.base_url = app.state.base_url
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(orchestrator.watching())
            if live_runners is not None:
                await stack.enter_async_context(live_runners.running(orchestrator.channels, orchestrator.base_url))
            yield

    app = FastAPI(title="byoc-kit orchestrator", lifespan=lifespan)
    app.include_router(trickle_router(orchestrator.channels), prefix=BASE_PATH.rstrip("/"))
    app.include_router(_orchestrator_router(orchestrator))
    add_live_runners(app, live_runners)
    app.add_exception_handler(ModelNotAdvertisedError, _unavailable)
    app.add_exception_handler(StreamNotFoundError, _not_found)
    app.add_exception_handler(HTTPException, _as_text)
    return app


def _orchestrator_router(orchestrator: Orchestrator) -> APIRouter:
    router = APIRouter()

    @router.get("/models")
    async def models() -> list[dict[str, Any]]:
        fields = {"model_id", "pipeline", "price_per_unit", "warm", "capacity"}
        return [entry.model_dump(include=fields) for entry in orchestrator.advertised()]

    @router.post("/stream/start")
    async def start(request: StartRequest) -> Response:
        try:
            started = await orchestrator.start_stream(request.model_id, request.params)
        except ContainerRefusedError as refused:
            return _passed_on(refused.answer)
        urls = {f"{role}_url": url for role, url in vars(started.urls).items()}
        return JSONResponse({"stream_id": started.stream_id, **urls})

    @router.post("/stream/{stream_id}/params")
    async def params(stream_id: str, request: Request) -> Response:
        return _passed_on(await orchestrator.update_params(stream_id, await request.body()))

    @router.post("/stream/{stream_id}/stop")
    async def stop(stream_id: str, request: Request) -> Response:
        return _passed_on(await orchestrator.stop_stream(stream_id, await request.body()))

    @router.get("/stream/{stream_id}")
    async def status(stream_id: str) -> StreamStatus:
        return orchestrator.stream_status(stream_id)

    return router


def _passed_on(answer: ContainerAnswer) -> Response:
    return Response(answer.body, status_code=answer.status, headers={"Content-Type": answer.content_type})


async def _unavailable(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=503)


async def _not_found(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=404)


async def _as_text(_: Request, error: Exception) -> Response:
    """Answer what no route has answered as Go does: with a text."""
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=error.headers)
