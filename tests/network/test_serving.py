import asyncio
import shutil
import signal
import socket
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from runner_rig import SECRET, App
from web_rig import served

from byoc_kit.errors import ByocKitError
from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.network.serving import self_signed, serving

DEADLINE_S = 10

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")


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


@needs_openssl
async def test_an_orchestrator_serves_tls_to_who_trusts_its_certificate():
    app = App()

    async def echo(request):
        socket = aiohttp.web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(await socket.receive_str())
        return socket

    app.answers["/ws"] = echo
    with self_signed("127.0.0.1") as certificate:
        context = ssl.create_default_context(cafile=certificate.certificate)
        live = LiveRunners([], RunnerSettings(secret=SECRET))
        async with (
            served(*app.routes()) as runner_url,
            serve_orchestrator(Orchestrator([]), live_runners=live, certificate=certificate) as url,
            aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context)) as http,
        ):
            assert url.startswith("https://")
            body = {"runner_id": "r", "runner_url": runner_url, "app": "a"}
            async with http.post("/runners/heartbeat", json=body, headers={"Authorization": SECRET}) as answer:
                assert (await answer.json())["o2r"]["url"].startswith(f"{url}/ai/trickle/r-")
            async with http.post("/apps/r/session") as answer:
                app_url = (await answer.json())["app_url"]
            async with http.get(f"{app_url}/x") as answer:
                assert answer.status == 202
            async with http.ws_connect(f"{app_url}/ws") as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
    assert not certificate.key.exists()


def test_without_openssl_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ByocKitError, match="apt-get install openssl"), self_signed("localhost"):
        pass


@needs_openssl
def test_a_host_that_no_certificate_can_have_is_a_sentence():
    with pytest.raises(ByocKitError, match="openssl made no certificate for "), self_signed("a,b"):
        pass
