"""``StreamServer``: pytrickle's, with the routes, health and streams that the network really asks for."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from aiohttp import web
from pytrickle.server import StreamServer as PytrickleStreamServer

from byoc_kit.background import on_thread
from byoc_kit.errors import ByocKitError, text_of
from byoc_kit.params import ParamsError
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.health import health_response
from byoc_kit.server.metrics import CONTENT_TYPE, Metrics
from byoc_kit.server.requests import (
    STREAM_ID_HEADER,
    named_stream,
    parse_params,
    parse_start,
    parsed,
    read_body,
    started_stream,
    stream_of,
)
from byoc_kit.server.sessions import BusyError, Sessions
from byoc_kit.server.settings import SHUTDOWN_S, ServerSettings
from byoc_kit.server.warm_up import warm_up

logger = logging.getLogger(__name__)

MAX_BODY = 10 << 20
_STOPPING = "the server is stopping"


class LoadError(ByocKitError):
    """A processor that cannot be served: its ``load_model`` failed, or the machine encodes no picture."""


class StreamServer(PytrickleStreamServer):  # type: ignore[misc]  # pytrickle has no type hints
    """Serves a processor's streams on one port.

    Takes pytrickle's arguments, and ``capacity``, the number of streams at once, and ``settings`` (default: those of
    the environment).
    """

    def __init__(
        self,
        frame_processor: FrameProcessor,
        *,
        port: int = 8000,
        capacity: int = 1,
        settings: ServerSettings | None = None,
        **options: Any,
    ) -> None:
        app_options = {"client_max_size": MAX_BODY, **options.pop("app_kwargs", {})}
        super().__init__(frame_processor, port=port, enable_default_routes=False, app_kwargs=app_options, **options)
        self.settings = settings or ServerSettings.from_environment()
        self.sessions = Sessions(frame_processor, self.settings, capacity=capacity)
        self._metrics = Metrics(self.sessions)
        self._loading: asyncio.Task[None] | None = None
        self._load_error: str | None = None
        self._is_ready = False
        self._is_stopping = False
        self.app.add_routes(
            [
                web.get("/health", self._handle_health),
                web.get("/metrics", self._handle_metrics),
                web.get("/version", self._handle_version),
                web.get("/app-version", self._handle_app_version),
                web.get("/hardware/info", self._handle_hardware_info),
                web.get("/hardware/stats", self._handle_hardware_stats),
                web.post("/stream/start", self._handle_start_stream),
                web.post("/stream/stop", self._handle_stop_stream),
                web.post("/stream/params", self._handle_update_params),
                web.get("/stream/status", self._handle_get_status),
                web.post("/live-video-to-video", self._handle_live_video_to_video),
            ]
        )

    async def start_server(self) -> web.AppRunner:
        """Bind the port, then load the model; returns the runner."""
        runner = await self.start_app()
        await web.TCPSite(runner, self.host, self.port).start()
        return runner

    async def start_app(self) -> web.AppRunner:
        """Begin to load the model and return the app's runner, for a caller that binds the port itself."""
        runner = web.AppRunner(self.app, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._loading = asyncio.create_task(self._load(), name="load_model")
        return runner

    async def stop(self) -> None:
        """End every stream with its tail sent, and the loading of the model; none can be started any more."""
        self._is_stopping = True
        await self.sessions.stop_all()
        await self._end_loading()

    async def swap(self, processor: FrameProcessor) -> None:
        """Serve another processor from the next frame on; the old one goes on until the new one's model is loaded.

        Where the old one's model has failed to load, or still loads, it is the first to be served. Raises
        :class:`LoadError` where its ``load_model`` fails; nothing has changed then.
        """
        await _load_model(processor)
        if not self._is_ready:
            await _warm_up(self.settings)
            await self._end_loading()
        self.frame_processor = processor
        await self.sessions.swap(processor)
        self._is_ready, self._load_error = True, None

    async def _end_loading(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])

    async def _load(self) -> None:
        try:
            await _load_model(self.frame_processor)
            await _warm_up(self.settings)
        except LoadError as error:
            logger.exception("the server is not ready")
            self._load_error = str(error)
            return
        self._is_ready = True
        logger.info("ready")

    def _problem(self) -> str | None:
        """Say why no stream can be served well, but for a model that still loads."""
        return _STOPPING if self._is_stopping else self._load_error or self.sessions.problem()

    async def _handle_health(self, _: web.Request) -> web.Response:
        contract, error = self.settings.contract, self._problem()
        return health_response(contract, is_ready=self._is_ready, error=error, is_streaming=self.sessions.is_occupied)

    async def _handle_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _handle_start_stream(self, request: web.Request) -> web.Response:
        try:
            stream_id = await self._start(request)
        except _RefusedError as refused:
            return _problem(refused.status, refused.message, field=refused.field)
        return web.json_response({"status": "success", "message": "stream started", "stream_id": stream_id})

    async def _handle_live_video_to_video(self, request: web.Request) -> web.Response:
        """Start as the ai-worker does: it reads ``detail.msg``, and takes a 503 for success, so that becomes 500."""
        try:
            await self._start(request)
        except _RefusedError as refused:
            status = web.HTTPInternalServerError.status_code if refused.status >= 500 else refused.status
            message = f"{refused.field}: {refused.message}" if refused.field else refused.message
            return web.json_response({"detail": {"msg": message}}, status=status)
        return web.json_response({})

    async def _start(self, request: web.Request) -> str:
        try:
            body = await read_body(request)
            if self._is_stopping:
                raise _RefusedError(503, f"{_STOPPING}; start the stream elsewhere")
            if not self._is_ready:
                raise _RefusedError(503, self._load_error or "the model is loading; try again")
            start = await parsed(body, parse_start)
            stream_id = started_stream(request, start)
            self.sessions.start(stream_id, start)
        except ParamsError as error:
            raise _RefusedError(400, error.reason, error.field) from None
        except BusyError as error:
            raise _RefusedError(503, str(error)) from None
        return stream_id

    async def _handle_stop_stream(self, request: web.Request) -> web.Response:
        """Answer 200 whatever the body, also where nothing runs: the orchestrator may stop a stream twice.

        Where several run, one that names none stops none.
        """
        stream_id = stream_of(request)
        if stream_id is None:
            with suppress(ParamsError):
                stream_id = await parsed(await read_body(request), named_stream)
        stopped = await self.sessions.stop(stream_id)
        return web.json_response({"status": "success", "stopped": stopped})

    async def _handle_update_params(self, request: web.Request) -> web.Response:
        try:
            changes = await parsed(await read_body(request), parse_params)
            changed = self.sessions.update_params(self._stream_to_change(request), changes)
        except ParamsError as error:
            return _problem(400, error.reason, field=error.field)
        if not changed:
            return _problem(404, "no such stream runs; start one first")
        return web.json_response({"status": "success", "message": "parameters updated"})

    def _stream_to_change(self, request: web.Request) -> str | None:
        stream_id, running = stream_of(request), len(self.sessions)
        if stream_id is None and running > 1:
            reason = f"{running} streams run; name the one to change"
            raise ParamsError(STREAM_ID_HEADER, reason)
        return stream_id

    async def _handle_get_status(self, _: web.Request) -> web.Response:
        error = self._problem()
        health = "error" if error else "ok" if self._is_ready else "loading"
        streams, ended = self.sessions.status(), self.sessions.ended
        content = {"status": health, "capacity": self.sessions.capacity, "streams": streams, "last_ended": ended}
        return web.json_response(content)


async def _load_model(processor: FrameProcessor) -> None:
    try:
        await processor.ensure_model_loaded()
    except Exception as error:
        raise LoadError(processor.said("load_model", error)) from error


async def _warm_up(settings: ServerSettings) -> None:
    try:
        await on_thread(lambda: warm_up(settings), name="warm_up")
    except Exception as error:
        msg = f"encoding a first picture failed: {type(error).__name__}: {text_of(error)}"
        raise LoadError(msg) from error


class _RefusedError(Exception):
    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field


def _problem(status: int, message: str, *, field: str | None = None) -> web.Response:
    content = {"status": "error", "message": f"{field}: {message}" if field else message}
    return web.json_response(content | ({"field": field} if field else {}), status=status)
