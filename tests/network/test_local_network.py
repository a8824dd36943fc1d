import json
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web
from runner_rig import SECRET, ask
from web_rig import served

from byoc_kit.errors import ByocKitError
from byoc_kit.network.local_network import local_network

MODEL = {"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 1}


@pytest.fixture
def bundle(app, tmp_path):
    """A folder with what an export announces; its container is the app."""
    runner = {"label": "tint", "routing": "label", "runner_url": app.url, "health_url": "/health", "app": "a/tint"}
    (tmp_path / "aiModels.json").write_text(json.dumps([{**MODEL, "url": app.url}]))
    (tmp_path / "runners.json").write_text(json.dumps({"runners": [runner]}))
    return tmp_path


async def get(url):
    async with aiohttp.ClientSession() as http:
        return await ask(http, "GET", url)


async def post(url, **options):
    async with aiohttp.ClientSession() as http:
        return await ask(http, "POST", url, **options)


async def test_a_bundle_is_at_the_urls_that_the_network_gives(bundle, app):
    async with local_network(bundle, secret=SECRET) as network:
        _, [shown] = await get(network.discovery_url)
        assert [one["url"] for one in shown["runners"]] == [network.session_urls["tint"]]
        status, reserved = await post(network.session_urls["tint"])
        assert (status, reserved["control_url"].startswith(network.url)) == (200, True)
        assert await post(f"{reserved['app_url']}/x") == (202, "proxied")
        body = {"runner_id": "r", "runner_url": app.url, "app": "a"}
        _, registered = await post(network.heartbeat_url, json=body, headers={"Authorization": SECRET})
        o2r = registered["o2r"]
        assert o2r["url"] == network.trickle_url + o2r["channel_name"]
        assert await get(f"{o2r['url']}/next") == (200, "0")


async def test_a_model_is_started_at_the_start_url(bundle, app):
    async def ready(_):
        return web.json_response({"status": "ok"})

    (bundle / "runners.json").unlink()
    async with served(web.get("/health", ready), *app.routes()[1:]) as url:
        (bundle / "aiModels.json").write_text(json.dumps([{**MODEL, "url": url}]))
        async with local_network(str(bundle)) as network:
            await network.orchestrator.health["tint"].wait_ready()
            status, started = await post(network.start_url, json={"model_id": "tint"})
            assert status == 200
            assert started["input_url"] == network.trickle_url + started["stream_id"]
    [request] = app.requests
    assert request.path == "/stream/start"


async def test_a_container_registers_as_a_capability_at_the_register_url(app):
    async with local_network(secret=SECRET) as network, aiohttp.ClientSession() as http:
        for given, status in (("wrong", 400), (SECRET, 200)):
            headers = {"Authorization": given}
            async with http.post(
                network.register_url, json={"name": "tint", "url": app.url}, headers=headers
            ) as answer:
                assert answer.status == status
        assert [one.name for one in network.orchestrator.capabilities] == ["tint"]


async def test_clients_and_containers_can_have_urls_of_their_own(bundle):
    urls = {"public_url": "https://public.example.com", "runner_url_base": "http://orchestrator:8935"}
    async with local_network(bundle, secret=SECRET, **urls) as network:
        assert network.discovery_url == "https://public.example.com/discovery"
        assert network.session_urls == {"tint": "https://public.example.com/apps/tint/session"}
        assert network.heartbeat_url == "http://orchestrator:8935/runners/heartbeat"


async def test_a_runners_json_may_have_any_name(bundle):
    (bundle / "runners.json").rename(bundle / "mine.json")
    async with local_network(bundle / "mine.json") as network:
        assert list(network.session_urls) == ["tint"]
        assert network.orchestrator.models == {}


async def test_without_a_secret_no_container_can_register():
    async with local_network() as network:
        body = {"runner_url": "http://container", "app": "a"}
        answer = await post(network.heartbeat_url, json=body)
    assert answer == (404, "dynamic live runner registration is disabled\n")


def test_it_starts_without_torch():
    code = "import sys, byoc_kit.network.local_network; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


async def test_an_error_in_a_file_is_raised_before_anything_is_served(tmp_path):
    (tmp_path / "aiModels.json").write_text("{")
    with pytest.raises(ByocKitError, match=r"aiModels\.json: is not JSON"):
        async with local_network(tmp_path):
            pass
