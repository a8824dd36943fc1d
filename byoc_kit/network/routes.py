"""The orchestrator's HTTP routes, thin over ``Orchestrator``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from byoc_kit.network.container import ContainerAnswer, ContainerRefusedError
from byoc_kit.network.orchestrator import ModelNotAdvertisedError, Orchestrator, StreamNotFoundError
from byoc_kit.network.streams import StreamStatus
from byoc_kit.trickle.server import BASE_PATH, trickle_router


class StartRequest(BaseModel):
    """What a caller sends to start a stream."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    params: dict[str, Any] | None = None


def create_app(orchestrator: Orchestrator) -> FastAPI:
    """Return the app of an orchestrator, the trickle server under ``BASE_PATH`` included."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with orchestrator.watching():
            yield

    app = FastAPI(title="byoc-kit orchestrator", lifespan=lifespan)
    app.include_router(trickle_router(orchestrator.channels), prefix=BASE_PATH.rstrip("/"))
    app.include_router(_orchestrator_router(orchestrator))
    app.add_exception_handler(ModelNotAdvertisedError, _unavailable)
    app.add_exception_handler(StreamNotFoundError, _not_found)
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
