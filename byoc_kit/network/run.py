"""Serving a FastAPI app with uvicorn inside the running event loop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from byoc_kit.errors import ByocKitError

GRACE_S = 1


@asynccontextmanager
async def serving(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an app while the body runs and give its base URL; port 0 takes a free one.

    Signals stay with the caller. On leaving, the app's lifespan ends first, so that an app can end its own open
    streams; a response that is still open after ``GRACE_S`` is cancelled.
    """
    with _listen(host, port) as listener:
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S
        )
        server = _Server(config)
        task = None
        try:
            async with app.router.lifespan_context(app):
                task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
                yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            if task is not None:
                await task


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ByocKitError(f"cannot listen on {host}:{port}: {reason}; choose another host or port") from error
    # What it accepts inherits this, which asyncio does not set here: a picture would wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
