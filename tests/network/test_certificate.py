import shutil
import ssl

import aiohttp
import pytest
from runner_rig import SECRET, App
from web_rig import served

from byoc_kit.errors import ByocKitError
from byoc_kit.network.certificate import self_signed
from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")


async def test_an_orchestrator_serves_tls_to_who_trusts_its_certificate():
    app, live = App(), LiveRunners([], RunnerSettings(secret=SECRET))

    async def echo(request):
        socket = aiohttp.web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(await socket.receive_str())
        return socket

    app.answers["/ws"] = echo
    with self_signed("127.0.0.1") as certificate:
        context = ssl.create_default_context(cafile=certificate.certificate)
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


def test_a_host_that_no_certificate_can_have_is_a_sentence():
    with pytest.raises(ByocKitError, match="openssl made no certificate for "), self_signed("a,b"):
        pass
