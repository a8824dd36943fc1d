"""``byoc-kit serve``: the process that runs in the container.

The port is bound, and ``/health`` answers, before torch, pytrickle or the notebook's own code is imported.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from byoc_kit.core.bundle_reader import Bundle, load_processor
from byoc_kit.core.capability import LIVE_RUNNER_HEALTH, Capability
from byoc_kit.errors import ByocKitError
from byoc_kit.registration.registration import Registration
from byoc_kit.server.about import UNVERSIONED, version_content
from byoc_kit.server.ending import SHUTDOWN_S
from byoc_kit.server.guard import guard
from byoc_kit.server.health import Contract, health_response
from byoc_kit.server.listener import Listener, app_runner, noted_at_request, protocol_factory
from byoc_kit.server.logs import set_up_logging
from byoc_kit.server.requests import refused
from byoc_kit.server.settings import ServerSettings
from byoc_kit.system.addresses import listen, url_of
from byoc_kit.system.allocator import bound_arenas
from byoc_kit.system.concurrency import on_thread, set_at_signal

if TYPE_CHECKING:
    from byoc_kit.server.stream_server import StreamServer

logger = logging.getLogger(__name__)

_STDERR = 2  # the process's own: sys.stderr may have been replaced by something without a file


def serve(bundle: Bundle, *, host: str, port: int) -> int:
    """Serve a bundle until SIGTERM or SIGINT; the running streams' tails are delivered first. Returns 0.

    Where the settings say so, it joins the network by itself once the model is loaded. Raises ``ByocKitError`` if it
    cannot listen there, or a setting does not fit.
    """
    faulthandler.enable(_STDERR, all_threads=False)  # a crash in native code leaves the line of the notebook in the log
    set_up_logging()
    bound_arenas()
    settings = ServerSettings.from_environment()
    plan = settings.registration_plan(bundle)
    registration = Registration(plan) if plan is not None else None
    asyncio.run(_serve(bundle, settings, listen(host, port), registration))
    # Else Python's exit visits each of torch's objects: 0.75 s of CPU, 0.16 s so.
    gc.freeze()
    return 0


async def _serve(
    bundle: Bundle, settings: ServerSettings, listening: socket.socket, registration: Registration | None
) -> None:
    stopped = set_at_signal()
    waiting_room = WaitingRoom(settings, bundle.capability)
    runners = [app_runner(waiting_room.app, shutdown_timeout_s=SHUTDOWN_S)]
    await runners[0].setup()
    listener = Listener(listening, protocol_factory(runners[0]))
    logger.info("listening on %s for %s; loading", url_of(listening), bundle.model_id)

    importing = asyncio.create_task(on_thread(lambda: _import_server(bundle, settings, registration), name="import"))
    stopping = asyncio.create_task(stopped.wait(), name="stopping")
    await asyncio.wait([importing, stopping], return_when=asyncio.FIRST_COMPLETED)
    stream_server: StreamServer | None = None
    if importing.done():
        try:
            stream_server = importing.result()()
        except ByocKitError as error:
            logger.error("%s", error)  # noqa: TRY400  # its text is whole; a traceback through the kit would hide it
            waiting_room.error = str(error)
        else:
            runners.append(await stream_server.start_app())
            listener.leads_to = protocol_factory(runners[1])
    await stopping
    logger.info("stopping")
    if stream_server is not None:
        await (
            stream_server.stop()
        )  # while it answers: a health check that fails closes the channels before the tail is out
    listener.close()
    await asyncio.gather(*(runner.cleanup() for runner in runners))


def _import_server(
    bundle: Bundle, settings: ServerSettings, registration: Registration | None
) -> Callable[[], StreamServer]:
    """Import what is heavy, on a thread; the server itself is made on the loop."""
    from byoc_kit.server.stream_server import server_of

    processor = load_processor(bundle)
    return lambda: server_of(bundle, processor, settings, registration=registration)


class WaitingRoom:
    """The app before there is a processor: health, a stop that has nothing to stop, and 503 for everything else.

    ``error`` says why there is none; it is ``None`` while one is loading. The version is known with the
    ``capability``: an ai-worker asks for it once, as soon as the health says anything.
    """

    def __init__(self, settings: ServerSettings, capability: Capability | None = None) -> None:
        self.error: str | None = None
        self._capability = capability
        self.app = web.Application(middlewares=[noted_at_request, guard(settings)])
        for path in ("/health", LIVE_RUNNER_HEALTH):
            self.app.router.add_get(path, self._health)
        self.app.router.add_get("/version", self._version)
        self.app.router.add_post("/stream/stop", self._stop)
        self.app.router.add_route("*", "/{path:.*}", self._busy)
        self._contract = settings.contract

    async def _health(self, request: web.Request) -> web.Response:
        contract = Contract.LIVE_RUNNER if request.path == LIVE_RUNNER_HEALTH else self._contract
        response = health_response(contract, is_ready=False, error=self.error)
        response.force_close()  # the next connection may lead to the real app
        return response

    async def _version(self, request: web.Request) -> web.Response:
        if self._capability is None:
            return await self._busy(request)
        content = version_content(self._capability.model_id, self._capability.version or UNVERSIONED)
        response = web.json_response(content)
        response.force_close()
        return response

    async def _stop(self, _: web.Request) -> web.Response:
        response = web.json_response({"status": "success", "stopped": 0})
        response.force_close()
        return response

    async def _busy(self, request: web.Request) -> web.Response:
        response = refused(request, 503, self.error or "the model is loading; try again")
        response.force_close()
        return response
