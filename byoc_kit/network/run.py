"""Serving a FastAPI app with uvicorn inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from byoc_kit.port import listen, url_of

GRACE_S = 1


@asynccontextmanager
async def serving(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an app while the body runs and give its base URL; port 0 takes a free one.

    Signals stay with the caller. On leaving, the app's lifespan ends first, so that an app can end its own open
    streams; a response that is still open after ``GRACE_S`` is cancelled.
    """
    with listen(host, port) as listener:
        # What it accepts inherits this, which asyncio does not set here: a picture would wait 40 ms otherwise.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S
        )
        server = _Server(config)
        task = None
        try:
            async with app.router.lifespan_context(app):
                task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
                yield url_of(listener)
        finally:
            server.should_exit = True
            if task is not None:
                await task


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
