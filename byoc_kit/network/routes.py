"""The orchestrator's HTTP routes, thin over ``Orchestrator``, and serving them inside the running event loop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from byoc_kit.core.params import ParamsError, load_json, params_error
from byoc_kit.network.capabilities import CapabilityError, answer_refused, capability_router
from byoc_kit.network.container_client import ContainerAnswer, ContainerRefusedError
from byoc_kit.network.live_runners import LiveRunners
from byoc_kit.network.orchestrator import ModelNotAdvertisedError, Orchestrator, StreamNotFoundError
from byoc_kit.network.runner_routes import add_live_runners
from byoc_kit.network.serving import Certificate, serving
from byoc_kit.network.streams import StreamStatus
from byoc_kit.network.websocket_tunnel import WebSocketTunnel
from byoc_kit.trickle.server import BASE_PATH, trickle_router

_STATUSES: dict[type[Exception], int] = {ParamsError: 400, StreamNotFoundError: 404, ModelNotAdvertisedError: 503}


class StartRequest(BaseModel):
    """What a client sends to start a stream."""

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
    """Serve an orchestrator and watch its containers while the body runs; gives its base URL.

    ``local_network`` does this for files, such as ``aiModels.json``, that say what there is.
    """
    websockets = partial(WebSocketTunnel, live_runners.find_app) if live_runners is not None else None
    app = create_app(orchestrator, live_runners)
    async with serving(app, host=host, port=port, websockets=websockets, certificate=certificate) as base_url:
        yield base_url


def create_app(orchestrator: Orchestrator, live_runners: LiveRunners | None = None) -> FastAPI:
    """Return the app of an orchestrator, with the trickle server under ``BASE_PATH``."""

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
    app.include_router(capability_router(orchestrator.capabilities))
    add_live_runners(app, live_runners)
    for kind, status in _STATUSES.items():
        app.add_exception_handler(kind, partial(_refused, status=status))
    app.add_exception_handler(CapabilityError, answer_refused)
    app.add_exception_handler(HTTPException, _as_text)
    return app


def parse_start(body: bytes) -> StartRequest:
    """Parse the body of ``/stream/start``. Raises ParamsError that names the field."""
    content = load_json(body, field="body")
    if not isinstance(content, dict):
        raise ParamsError("body", "must be a JSON object")  # noqa: EM101  # its name, no message
    try:
        return StartRequest.model_validate(content)
    except ValidationError as error:
        raise params_error(error) from None


def _orchestrator_router(orchestrator: Orchestrator) -> APIRouter:
    router = APIRouter()
    start_body = {"content": {"application/json": {"schema": StartRequest.model_json_schema()}}, "required": True}

    @router.get("/models")
    async def models() -> list[dict[str, Any]]:
        fields = {"model_id", "pipeline", "price_per_unit", "warm", "capacity"}
        return [entry.model_dump(include=fields) for entry in orchestrator.advertised()]

    @router.post("/stream/start", openapi_extra={"requestBody": start_body})
    async def start(request: Request) -> Response:
        asked = parse_start(await request.body())
        try:
            started = await orchestrator.start_stream(asked.model_id, asked.params)
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


async def _refused(_: Request, error: Exception, *, status: int) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=status)


async def _as_text(_: Request, error: Exception) -> Response:
    """Answer with a text, as Go does, where no route has answered."""
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=error.headers)
