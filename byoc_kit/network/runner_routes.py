"""The Live Runner orchestrator's HTTP routes, thin over ``LiveRunners``; errors are plain texts, as in go-livepeer."""

import asyncio
import re
from contextlib import closing

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from byoc_kit.network.go_json import GoJsonError, decode
from byoc_kit.network.live_runners import LiveRunners
from byoc_kit.network.reverse_proxy import Forwarding, forward, text_error
from byoc_kit.network.runner_file import read_static_runners
from byoc_kit.network.runner_records import (
    ChannelNames,
    ChannelRequests,
    Heartbeat,
    ProxyRequest,
    RunnerError,
    checked_count,
)
from byoc_kit.network.runners import RunnerRegistry

_BARE_APP_PATH = re.compile(r"/apps/[^/]+(/session/[^/]+)?/app")
_APP_PATH = re.compile(r"/apps/[^/]+(/session/[^/]+)?/app/.*", re.DOTALL)
_RUNNER_PATHS = ("/runners/", "/runner/", "/apps/", "/discovery", "/registerLiveRunners")
_UNSUPPORTED = "live runners are not supported"
_HTML = "<!DOCTYPE html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"


def add_live_runners(app: FastAPI, live: LiveRunners | None) -> None:
    """Add the routes to an app. Without ``live`` each answers that Live Runners are not supported."""
    app.include_router(_runner_router(live))
    app.add_middleware(AppGate, live=live)
    app.add_exception_handler(RunnerError, _refused)
    app.add_exception_handler(GoJsonError, _not_understood)


class AppGate:
    """Handles the requests to apps before other routes see them, and injects the faults that are switched on."""

    def __init__(self, app: ASGIApp, *, live: LiveRunners | None) -> None:
        self._app = app
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on to the routes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if await _inject_faults(self._live, scope, receive, send):
                return
            to = _find_app(self._live, scope)
        except RunnerError as error:
            await text_error(error)(scope, receive, send)
            return
        if to is not None and self._live is not None:
            await _forward(self._live, to, scope, receive, send)
        elif _BARE_APP_PATH.fullmatch(scope["path"]):
            await _with_slash(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _find_app(live: LiveRunners | None, scope: Scope) -> Forwarding | None:
    if live is not None:
        return live.find_app(_host(scope), scope["path"])
    if _APP_PATH.fullmatch(scope["path"]):
        raise RunnerError(404, _UNSUPPORTED)
    return None


async def _forward(live: LiveRunners, to: Forwarding, scope: Scope, receive: Receive, send: Send) -> None:
    with closing(to):
        await forward(live.http, to, scope, receive, send)


async def _inject_faults(live: LiveRunners | None, scope: Scope, receive: Receive, send: Send) -> bool:
    """Inject the faults of a request to a Live Runner route; returns whether it was answered."""
    if live is None or not scope["path"].startswith(_RUNNER_PATHS):
        return False
    faults = live.faults
    if faults.delay_s:
        await asyncio.sleep(faults.delay_s)
    if faults.is_html:
        await HTMLResponse(_HTML, status_code=502)(scope, receive, send)
    return faults.is_html


def _with_slash(scope: Scope) -> Response:
    """Redirect to the same path with a slash, as Go does. Careless clients turn a POST into a GET here."""
    query = scope["query_string"]
    location = scope["raw_path"].decode("ascii") + "/" + (f"?{query.decode('latin-1')}" if query else "")
    return Response(status_code=301, headers={"Location": location})


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def _runner_router(live: LiveRunners | None) -> APIRouter:
    routes = _Routes(live)
    session = "/runner/{runner_id}/session/{session_id}"
    router = APIRouter()
    router.add_api_route("/runners/heartbeat", routes.heartbeat, methods=["POST"])
    router.add_api_route("/runners/{runner_id}/unregister", routes.unregister, methods=["POST"])
    router.add_api_route("/registerLiveRunners", routes.register_static, methods=["POST"])
    router.add_api_route("/discovery", routes.discover, methods=["GET"])
    router.add_api_route("/discovery", routes.discover, methods=["HEAD"], include_in_schema=False)
    router.add_api_route("/apps/{runner_id}/session", routes.reserve, methods=["POST"])
    router.add_api_route("/apps/{runner_id}/session/{session_id}/stop", routes.stop, methods=["POST"])
    router.add_api_route(f"{session}/stop", routes.stop_from_within, methods=["POST"])
    router.add_api_route(f"{session}/channels", routes.create_channels, methods=["POST"])
    router.add_api_route(f"{session}/channels", routes.delete_channels, methods=["DELETE"])
    router.add_api_route(f"{session}/proxy", routes.create_proxy, methods=["POST"])
    return router


class _Routes:
    def __init__(self, live: LiveRunners | None) -> None:
        self._given = live

    @property
    def _live(self) -> LiveRunners:
        if self._given is None:
            raise RunnerError(404, _UNSUPPORTED)
        return self._given

    def _registry_for(self, request: Request) -> RunnerRegistry:
        """Return the registry, if the container sent its session's token."""
        registry = self._live.registry
        session = request.path_params["runner_id"], request.path_params["session_id"]
        registry.check_token(*session, request.headers.get("Livepeer-Session-Token", ""))
        return registry

    async def heartbeat(self, request: Request) -> Response:
        """Register a container, or keep it alive."""
        registry = self._live.registry
        body = decode(await request.body(), Heartbeat)
        return JSONResponse(registry.heartbeat(body, request.headers.get("Authorization", "")))

    async def unregister(self, runner_id: str, request: Request) -> Response:
        """Remove a container that registered itself."""
        self._live.registry.unregister(runner_id, request.headers.get("Authorization", ""))
        return Response(status_code=204)

    async def register_static(self, request: Request) -> Response:
        """Take a ``runners.json`` at run time. go-livepeer has this on another port, for the operator only."""
        live = self._live
        entries = read_static_runners(await request.body())
        return JSONResponse({"runners": await live.register_static(entries)})

    async def discover(self) -> Response:
        """Show the runners that are ready; without any, the key is missing."""
        registry = self._live.registry
        runners = registry.discovered()
        return JSONResponse([{"address": registry.urls.public, **({"runners": runners} if runners else {})}])

    async def reserve(self, runner_id: str) -> Response:
        """Reserve a session, without a call to the container."""
        reserved = self._live.reserve(runner_id)
        control_url = self._live.registry.urls.session(runner_id, reserved.session_id)
        answer = {"session_id": reserved.session_id, "app_url": reserved.app_url, "control_url": control_url}
        return JSONResponse(answer)

    async def stop(self, runner_id: str, session_id: str) -> Response:
        """Release a session for its client, who needs to know only its id."""
        self._live.registry.release(runner_id, session_id)
        return Response(status_code=204)

    async def stop_from_within(self, runner_id: str, session_id: str, request: Request) -> Response:
        """Release a session for its container."""
        self._registry_for(request).release(runner_id, session_id)
        return Response(status_code=204)

    async def create_channels(self, runner_id: str, session_id: str, request: Request) -> Response:
        """Create channels in order. When one is refused, those before it stay."""
        registry = self._registry_for(request)
        asked = checked_count(decode(await request.body(), ChannelRequests).channels)
        made = [registry.create_channel(runner_id, session_id, one.name, one.mime_type) for one in asked]
        return JSONResponse({"channels": [channel.as_json() for channel in made]})

    async def delete_channels(self, runner_id: str, session_id: str, request: Request) -> Response:
        """Delete channels in order. When one is refused, those before it are gone."""
        registry = self._registry_for(request)
        names = checked_count(decode(await request.body(), ChannelNames).channels)
        for name in names:
            registry.delete_channel(runner_id, session_id, name)
        return JSONResponse({"deleted": names})

    async def create_proxy(self, runner_id: str, session_id: str, request: Request) -> Response:
        """Create a URL that leads to the container; the body may be empty."""
        registry = self._registry_for(request)
        body = await request.body()
        asked = decode(body, ProxyRequest) if body.strip() else ProxyRequest()
        return JSONResponse(registry.create_proxy(runner_id, session_id, asked.target_url))


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, RunnerError):
        raise error
    return text_error(error)


async def _not_understood(_: Request, error: Exception) -> Response:
    return text_error(RunnerError(400, str(error)))
