import asyncio
import signal
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from byoc_kit.errors import ByocKitError
from byoc_kit.network.routes import serving

DEADLINE_S = 10


async def test_an_app_is_served_on_a_free_port_and_gone_afterwards():
    app = FastAPI()

    @app.get("/")
    async def hello():
        return "hello"

    async with aiohttp.ClientSession() as session:
        async with serving(app) as url, session.get(url) as response:
            assert await response.json() == "hello"
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)


async def test_signal_handlers_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    async with serving(FastAPI()) as url, aiohttp.ClientSession() as session, session.get(url):
        assert signal.getsignal(signal.SIGINT) is before


async def test_a_taken_port_is_an_error_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ByocKitError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            async with serving(FastAPI(), port=port):
                pass


async def test_an_app_is_served_on_an_ipv6_address():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    async with serving(FastAPI(), host="::1") as url, aiohttp.ClientSession() as session, session.get(url) as response:
        assert url.startswith("http://[::1]:")
        assert response.status == 404


async def test_an_endless_response_does_not_keep_the_server():
    async def endless():
        yield b"first"
        await asyncio.Event().wait()

    app = FastAPI()
    app.add_api_route("/", lambda: StreamingResponse(endless()))
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
        async with serving(app) as url:
            response = await session.get(url)
            assert await response.content.readexactly(5) == b"first"
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
        response.close()  # else its connection is found unclosed when it is collected, in whatever test that is


async def test_a_lifespan_that_fails_is_raised_to_the_caller():
    @asynccontextmanager
    async def lifespan(_):
        raise ByocKitError("no GPU")
        yield

    with pytest.raises(ByocKitError, match="no GPU"):
        async with serving(FastAPI(lifespan=lifespan)):
            pass
