"""``StreamServer``: pytrickle's, with the routes, health and streams that the network really asks for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

from aiohttp import web
from pytrickle.server import StreamServer as PytrickleStreamServer

from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.core.capability import PIPELINE
from byoc_kit.core.params import ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError, text_of
from byoc_kit.registration.registration import Registration
from byoc_kit.registration.streams import OwnStreams
from byoc_kit.server.about import UNVERSIONED, About
from byoc_kit.server.ending import LEFT_BY_S, SHUTDOWN_S
from byoc_kit.server.guard import guard
from byoc_kit.server.health import Contract, health_response
from byoc_kit.server.listener import Listener, app_runner, noted_at_request, protocol_factory
from byoc_kit.server.live_runner import CallbackError, check_sessions, live_session
from byoc_kit.server.metrics import CONTENT_TYPE, Metrics
from byoc_kit.server.process_route import process_picture
from byoc_kit.server.requests import (
    AI_WORKER_ROUTE,
    SESSION_ID_HEADER,
    STREAM_ID_HEADER,
    bounded_bodies,
    named_stream,
    parse_params,
    parse_start,
    parsed,
    read_body,
    refused,
    refused_by_the_router,
    started_stream,
    stream_of,
)
from byoc_kit.server.sessions import BusyError, Sessions
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.warm_up import warm_up
from byoc_kit.system.addresses import listen
from byoc_kit.system.allocator import bound_arenas
from byoc_kit.system.concurrency import on_thread

_WITHOUT_EFFECT = {
    "health_check_interval": "the health is looked at when it is asked for",
    "publisher_timeout": "a channel is given up after 20 s of failures",
    "subscriber_timeout": "a channel may be quiet for any time, and is given up after 20 s of failures",
    "frame_skip_config": "frames are dropped where the model is behind; clients limit them by max_framerate",
    "overlay_config": "nothing is drawn over the video; a stream that starts while the model loads is refused",
}


class OptionError(ByocKitError):
    """An option of ``StreamServer`` that this one cannot honour."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ``OptionError`` naming the first option that would have no effect."""
    for name, why in _WITHOUT_EFFECT.items():
        if options.get(name) is not None:
            msg = f"StreamServer takes no {name}: {why}; leave it out"
            raise OptionError(msg)
    if options.get("cors_config") and find_spec("aiohttp_cors") is None:
        msg = "StreamServer needs aiohttp-cors for cors_config; install it with pip install aiohttp-cors"
        raise OptionError(msg)


logger = logging.getLogger(__name__)

MAX_BODY = 10 << 20
_MOST_OF_BODIES = 256 << 20
_STOPPING = "the server is stopping"


class LoadError(ByocKitError):
    """A processor that cannot be served: its ``load_model`` failed, or the machine encodes no picture."""


class StreamServer(PytrickleStreamServer):  # type: ignore[misc]  # pytrickle has no type hints
    """Serves a processor's streams on one port.

    Parameters
    ----------
    frame_processor : FrameProcessor
        What the streams' frames go through.
    port : int, optional
        The TCP port.
    capacity : int, optional
        How many streams it serves at once.
    settings : ServerSettings, optional
        What an operator may set; by default what the environment says.
    registration : Registration, optional
        How it joins the network once the model is loaded, and leaves it at the end; by default it does not. What the
        settings say of it takes a bundle, so it is ``byoc-kit serve`` that reads that.
    enable_default_routes : bool, optional
        Whether it answers the network's routes.
    **options
        pytrickle's own arguments.

    Raises
    ------
    OptionError
        For an argument of pytrickle's that would have no effect.

    Examples
    --------
    >>> import asyncio
    >>> import byoc_kit
    >>> def process_frame(frame):
    ...     return frame
    >>> processor = byoc_kit.FrameProcessor(byoc_kit.Hooks.of(process_frame))
    >>> server = byoc_kit.StreamServer(processor, port=8000)
    >>> asyncio.run(server.run_forever())  # doctest: +SKIP
    """

    def __init__(
        self,
        frame_processor: FrameProcessor,
        *,
        port: int = 8000,
        capacity: int = 1,
        settings: ServerSettings | None = None,
        registration: Registration | None = None,
        enable_default_routes: bool = True,
        **options: Any,
    ) -> None:
        bound_arenas()
        check_options(options)
        self.settings = settings or ServerSettings.from_environment()
        options = {"pipeline": PIPELINE, "version": UNVERSIONED, **options}
        app_options = {"client_max_size": MAX_BODY, **(options.pop("app_kwargs", None) or {})}
        super().__init__(frame_processor, port=port, enable_default_routes=False, app_kwargs=app_options, **options)
        self.sessions = Sessions(frame_processor, self.settings, capacity=capacity)
        self._registration = registration
        self._metrics = Metrics(self.sessions, registration.report if registration is not None else None)
        self._listener: Listener | None = None
        self._loading: asyncio.Task[None] | None = None
        self._load_error: str | None = None
        self._is_ready = False
        self._is_stopping = False
        guarding = guard(self.settings, origins=options.get("cors_config") or ())
        checking = check_sessions(self.settings.orchestrator_url, self.sessions.check_owner)
        bounding = bounded_bodies(_MOST_OF_BODIES)
        self.app.middlewares[:0] = [noted_at_request, guarding, refused_by_the_router, bounding, checking]
        self.enable_default_routes = enable_default_routes
        if enable_default_routes:
            self._add_routes()

    def _add_routes(self) -> None:
        prefix = self.route_prefix.rstrip("/")
        routes = [
            *About(self).routes(),
            web.get("/metrics", self._handle_metrics),
            web.post(f"{prefix}/stream/start", self._handle_start_stream),
            web.post(f"{prefix}/stream/stop", self._handle_stop_stream),
            web.post(f"{prefix}/stream/params", self._handle_update_params),
            web.get(f"{prefix}/stream/status", self._handle_get_status),
            web.post(AI_WORKER_ROUTE, self._handle_live_video_to_video),
            web.post(f"{prefix}/process", self._handle_process),
        ]
        taken = {resource.canonical for resource in self.app.router.resources()}
        added = self.app.router.add_routes(route for route in routes if route.path != "/" or "/" not in taken)
        if "cors" in self.app:  # made by pytrickle, of cors_config
            for route in added:
                self.app["cors"].add(route)

    async def start_server(self) -> web.AppRunner:
        """Bind the port, then load the model; returns the runner."""
        listening = listen(self.host, self.port)
        runner = await self.start_app()
        self._listener = Listener(listening, protocol_factory(runner))
        return runner

    async def start_app(self) -> web.AppRunner:
        """Begin to load the model and return the app's runner, for a caller that binds the port itself."""
        runner = app_runner(self.app, shutdown_timeout_s=SHUTDOWN_S)
        await runner.setup()
        self._loading = asyncio.create_task(self._load(), name="load_model")
        return runner

    async def stop(self) -> None:
        """End every stream with its tail sent, and the loading of the model; none can be started any more."""
        self._is_stopping, left_by_s = True, time.monotonic() + LEFT_BY_S
        if self._registration is not None:
            self._registration.drain()
        await self.sessions.stop_all()
        await self._end_loading()
        if self._registration is not None:
            await self._registration.leave(within_s=left_by_s - time.monotonic())
        if self._listener is not None:
            self._listener.close()

    async def swap(self, processor: FrameProcessor) -> None:
        """Serve another processor from the next frame on; the old one goes on until the new one's model is loaded.

        Where the old one's model has failed to load, or still loads, it is the first to be served. Raises
        ``LoadError`` where its ``load_model`` fails; nothing has changed then.
        """
        await _load_model(processor)
        if not self._is_ready:
            await _warm_up(self.settings)
            await self._end_loading()
        self.frame_processor = processor
        await self.sessions.swap(processor)
        self._load_error = None
        self._become_ready()

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
        self._become_ready()
        logger.info("ready")

    def _become_ready(self) -> None:
        if not self._is_ready and self._registration is not None:
            self._registration.start(OwnStreams(self.sessions))
        self._is_ready = True

    def health(self, contract: Contract) -> web.Response:
        """Return the answer to who polls the health under a contract.

        One failed check of a Live Runner ends every session that it has, so there a fault of a stream is none, nor is
        the end of the container before the streams have had theirs.
        """
        error = self._problem()
        if contract is Contract.LIVE_RUNNER:
            error = None if self._is_stopping and len(self.sessions) else self._dead_end()
        return health_response(contract, is_ready=self._is_ready, error=error, is_streaming=self.sessions.is_occupied)

    def _problem(self) -> str | None:
        """Say why no stream can be served well, but for a model that still loads."""
        return self._dead_end() or self.sessions.problem()

    def _dead_end(self) -> str | None:
        """Say why no stream can be served at all, now or later."""
        return _STOPPING if self._is_stopping else self._load_error or self.sessions.dead_end()

    async def _handle_metrics(self, request: web.Request) -> web.Response:
        if SESSION_ID_HEADER in request.headers:  # who knows the id of another session can read its video
            return refused(request, 403, "the metrics name all sessions; ask the container itself for them")
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _handle_start_stream(self, request: web.Request) -> web.Response:
        try:
            started = await self._start(request)
        except _RefusedError as error:
            return refused(request, error.status, error.message, field=error.field)
        return web.json_response({"status": "success", "message": "stream started", **started})

    async def _handle_live_video_to_video(self, request: web.Request) -> web.Response:
        try:
            await self._start(request)
        except _RefusedError as error:
            return refused(request, error.status, error.message, field=error.field)
        return web.json_response({})

    async def _start(self, request: web.Request) -> dict[str, str]:
        """Start a stream and return what the answer says of it."""
        try:
            body = await read_body(request)
            if reason := self._unready():
                raise _RefusedError(503, reason)
            live = live_session(request, self.settings.orchestrator_url)
            start = await parsed(body, partial(parse_start, session_id=live.id if live is not None else None))
            if live is not None:
                running = await self.sessions.start_live(live, start)
                return {"stream_id": live.id, "session": live.id, **running.urls}
            stream_id = started_stream(request, start)
            await self.sessions.start(stream_id, start)
        except ParamsError as error:
            raise _RefusedError(400, error.reason, error.field) from None
        except CallbackError as error:
            raise _RefusedError(502, str(error)) from None
        except BusyError as error:
            raise _RefusedError(503, str(error)) from None
        return {"stream_id": stream_id}

    def _unready(self) -> str | None:
        """Say why nothing can be processed just now, and what to do."""
        if self._is_stopping:
            return f"{_STOPPING}; start the stream elsewhere"
        return None if self._is_ready else self._load_error or "the model is loading; try again"

    async def _handle_process(self, request: web.Request) -> web.Response:
        if reason := self._unready():
            return refused(request, 503, reason)
        return await process_picture(request, self.sessions)

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
            changed = await self.sessions.update_params(self._stream_to_change(request), changes)
        except ParamsError as error:
            return refused(request, 400, error.reason, field=error.field)
        if not changed:
            return refused(request, 404, "no such stream runs; start one first")
        return web.json_response({"status": "success", "message": "parameters updated"})

    def _stream_to_change(self, request: web.Request) -> str | None:
        stream_id, running = stream_of(request), len(self.sessions)
        if stream_id is None and running > 1:
            reason = f"{running} streams run; name the one to change"
            raise ParamsError(STREAM_ID_HEADER, reason)
        return stream_id

    async def _handle_get_status(self, request: web.Request) -> web.Response:
        error = self._problem()
        health = "error" if error else "ok" if self._is_ready else "loading"
        streams, ended = self.sessions.status(), self.sessions.ended
        content: dict[str, Any] = {"status": health, "capacity": self.sessions.capacity}
        if own := request.headers.get(SESSION_ID_HEADER):  # the others are of other clients
            streams = [status for status in streams if status["stream_id"] == own]
            ended = ended if ended and ended["stream_id"] == own else None
        elif self._registration is not None:
            content["registration"] = self._registration.report.status()
        content |= {"streams": streams, "last_ended": ended}
        return web.json_response(content)


def server_of(
    bundle: Bundle, processor: FrameProcessor, settings: ServerSettings, *, registration: Registration | None = None
) -> StreamServer:
    """Return a server of a bundle's processor, with what its capability says."""
    capability = bundle.capability
    return StreamServer(
        processor,
        capability_name=capability.model_id,
        capacity=capability.capacity,
        version=capability.version or UNVERSIONED,
        settings=settings,
        registration=registration,
    )


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
