"""Serves an app inside the running event loop, over HTTP or over HTTPS with a self-signed certificate."""

import asyncio
import ipaddress
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import uvicorn
from fastapi import FastAPI

from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import listen, url_of

GRACE_S = 1
"""How long an open response has after the app ended, before it is cancelled."""


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and of its key, in PEM."""

    certificate: Path
    key: Path


@contextmanager
def self_signed(host: str) -> Iterator[Certificate]:
    """Make a certificate for a host or an address, such as go-livepeer makes for itself unless ``-httpAddr`` is http.

    The ``openssl`` command makes it. The files are deleted at the end of the body.
    """
    with TemporaryDirectory(prefix="byoc-kit-") as folder:
        made = Certificate(Path(folder, "cert.pem"), Path(folder, "key.pem"))
        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        names = ["-subj", "/CN=byoc-kit", "-addext", f"subjectAltName={_kind_of(host)}:{host}"]
        files = ["-keyout", str(made.key), "-out", str(made.certificate)]
        try:
            subprocess.run(["openssl", *new, *names, *files], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            msg = "a certificate needs the openssl command: apt-get install openssl"
            raise ByocKitError(msg) from error
        except subprocess.CalledProcessError as error:
            msg = f"openssl made no certificate for {host}: {error.stderr.strip()[-200:]}"
            raise ByocKitError(msg) from error
        yield made


@asynccontextmanager
async def serving(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    websockets: Callable[..., asyncio.Protocol] | None = None,
    certificate: Certificate | None = None,
) -> AsyncIterator[str]:
    """Serve an app while the body runs, and give its base URL, which is also ``app.state.base_url``.

    Port 0 takes a free one. ``websockets`` makes the protocol that takes over a connection whose client asks for an
    upgrade. With a ``certificate`` the app is served over TLS only. Signal handlers are left alone.

    At the end the app's lifespan ends first, so that an app can end its own streams. A response that is still open
    after ``GRACE_S`` is cancelled.
    """
    with listen(host, port) as listener:
        # Accepted connections inherit this, which asyncio does not set here. Without it a picture waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        base_url = url_of(listener)
        app.state.base_url = base_url.replace("http:", "https:", 1) if certificate else base_url
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws=cast("type[asyncio.Protocol]", websockets) if websockets else "none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=certificate.certificate if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        server = _Server(config)
        task = None
        try:
            async with app.router.lifespan_context(app):
                task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
                yield app.state.base_url
        finally:
            server.should_exit = True
            if task is not None:
                await task


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _kind_of(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "DNS"
    return "IP"
