"""Web servers for tests: one with routes, and one that never answers."""

import socket
import threading
from contextlib import asynccontextmanager

from aiohttp import web

DEADLINE_S = 20


@asynccontextmanager
async def served(*routes):
    """Serve aiohttp routes and give their base URL."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


class Silent:
    """A port that takes connections and never answers; what it was told first is in ``heard``."""

    def __init__(self):
        self.heard = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._connections = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # it is closed
            self._connections.append(connection)
            self.heard.append(connection.recv(4096))

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)
        for connection in self._connections:
            connection.close()
