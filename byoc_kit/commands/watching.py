"""Serves a notebook, and each new version as soon as it is saved, for ``byoc-kit watch``.

A running stream uses the new code from its next frame on. If that code cannot be exported or loaded, it keeps the old.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from pathlib import Path

from aiohttp import web

from byoc_kit.bundle.drift import compare
from byoc_kit.bundle.plan import plan_again, write
from byoc_kit.core.bundle_reader import Bundle, load_processor, read_bundle
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError, in_one_line
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import read_notebook
from byoc_kit.server.ending import SHUTDOWN_S
from byoc_kit.server.listener import Listener, app_runner, protocol_factory
from byoc_kit.server.logs import set_up_logging
from byoc_kit.server.serve import WaitingRoom
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_server import StreamServer, server_of
from byoc_kit.system.addresses import listen, url_of
from byoc_kit.system.concurrency import on_thread, set_at_signal

logger = logging.getLogger(__name__)

_POLL_S = 0.05
_Stamp = tuple[int, int] | None


def watch(notebook: Path, target: Path, *, host: str, port: int) -> int:
    """Export a notebook to ``target`` and serve it, again at each change, until SIGTERM or SIGINT; returns 0.

    If a version has an error, the log shows it, and the version before goes on. Raises ``ByocKitError`` if the notebook
    does not exist or the port is taken.
    """
    if not notebook.is_file():
        msg = f"there is no notebook {notebook}; give the path of an .ipynb file"
        raise ByocKitError(msg)
    set_up_logging()
    asyncio.run(_Watch(notebook, target, ServerSettings.from_environment()).run(listen(host, port)))
    return 0


class _Watch:
    def __init__(self, notebook: Path, target: Path, settings: ServerSettings) -> None:
        self._notebook = notebook
        self._target = target
        self._settings = settings
        self._server: StreamServer | None = None
        self._waiting_room = WaitingRoom(settings)
        self._runners: list[web.AppRunner] = []
        self._listener: Listener

    async def run(self, listener: socket.socket) -> None:
        """Serve on ``listener`` until a signal comes. A signal also works while a version loads or hangs."""
        stopping = asyncio.create_task(set_at_signal().wait(), name="stopping")
        self._runners.append(app_runner(self._waiting_room.app, shutdown_timeout_s=SHUTDOWN_S))
        await self._runners[0].setup()
        self._listener = Listener(listener, protocol_factory(self._runners[0]))
        following = asyncio.create_task(self._follow(url_of(listener)), name="follow")
        try:
            await asyncio.wait([stopping, following], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()  # it ends by itself only with an error of the kit
            logger.info("stopping")
        finally:
            for task in (stopping, following):
                task.cancel()
            await asyncio.wait([stopping, following])
            if self._server is not None:
                await self._server.stop()
            await asyncio.gather(*(runner.cleanup() for runner in self._runners))
            self._listener.close()
            listener.close()

    async def _follow(self, url: str) -> None:
        """Serve each version that is saved."""
        seen: _Stamp = None
        while True:
            stamp = _stamp(self._notebook)
            if stamp != seen and stamp is not None:
                await self._take(url)
            seen = stamp
            await asyncio.sleep(_POLL_S)

    async def _take(self, url: str) -> None:
        """Serve the notebook's present version."""
        started_s = time.monotonic()
        self._waiting_room.error = None
        try:
            loaded = await on_thread(self._export, name="export")
            if loaded is None:
                return
            bundle, processor = loaded
            if self._server is None:
                await self._start(bundle, processor, url)
            else:
                await self._server.swap(processor)
                self._server.sessions.capacity = bundle.capability.capacity
        except ByocKitError as error:
            logger.error("%s", error)  # noqa: TRY400  # its text says all; a traceback through the kit would hide it
            self._wait_for_another(str(error))
        except Exception as error:
            self._wait_for_another(in_one_line(error))
            logger.exception("%s cannot be exported or served; the version before goes on", self._notebook.name)
        else:
            took_ms = 1000 * (time.monotonic() - started_s)
            logger.info("serving the new version of %s (%.0f ms)", self._notebook.name, took_ms)

    def _wait_for_another(self, why: str) -> None:
        """Say that there is nothing to serve yet, if no version before was served."""
        if self._server is None:
            self._waiting_room.error = why
            logger.info("nothing is served until a version of %s is saved that can be", self._notebook.name)

    def _export(self) -> tuple[Bundle, FrameProcessor] | None:
        """Export and load the notebook; ``None`` if the present version is served already."""
        planned = plan_again(Analysis(read_notebook(self._notebook)), self._target)
        if self._server is not None and not compare(planned):
            return None
        write(planned)
        bundle = read_bundle(self._target)
        return bundle, load_processor(bundle)

    async def _start(self, bundle: Bundle, processor: FrameProcessor, url: str) -> None:
        server = server_of(bundle, processor, self._settings)
        self._runners.append(await server.start_app())
        self._listener.leads_to = protocol_factory(self._runners[-1])
        self._server = server
        logger.info("serving %s on %s; Ctrl-C ends it", bundle.model_id, url)


def _stamp(path: Path) -> _Stamp:
    """Return a value that changes when a file is saved; ``None`` if the file is missing, as in the middle of saving."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
