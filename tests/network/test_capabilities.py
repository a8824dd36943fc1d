"""The rules at which BYOC containers register: those of go-livepeer's ``byoc/job_orchestrator.go``."""

import json

import aiohttp
import pytest
from aiohttp import web
from runner_rig import SECRET
from web_rig import DEADLINE_S, served

from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator

TINT = {"name": "tint", "url": "http://container:8000", "capacity": 1, "price_per_unit": 3000, "currency": "wei"}


@pytest.fixture
async def orchestrator():
    orchestrator = Orchestrator([], secret=SECRET)
    async with serve_orchestrator(orchestrator) as orchestrator.url:
        yield orchestrator


@pytest.fixture
async def http(orchestrator):
    async with aiohttp.ClientSession(
        orchestrator.url, timeout=aiohttp.ClientTimeout(total=DEADLINE_S), headers={"Authorization": SECRET}
    ) as http:
        yield http


async def ask(http, path, body, **options):
    async with http.post(path, data=body, **options) as response:
        return response.status, await response.text()


async def register(http, **fields):
    return await ask(http, "/capability/register", json.dumps({**TINT, **fields}))


async def test_registering_again_replaces_the_record_and_its_load(orchestrator, http):
    assert await register(http) == (200, "ok")
    orchestrator.capabilities.count("tint", 1)
    assert await register(http, capacity=2) == (200, "ok")
    [found] = orchestrator.capabilities
    assert (found.capacity, found.load, found.price_scaling) == (2, 0, 1)


async def test_a_name_is_unregistered_byte_for_byte(orchestrator, http):
    await register(http)
    assert await ask(http, "/capability/unregister", b"tint\n") == (200, "ok")
    assert len(list(orchestrator.capabilities)) == 1
    assert await ask(http, "/capability/unregister", b"tint") == (200, "ok")
    assert list(orchestrator.capabilities) == []


@pytest.mark.parametrize("path", ["/capability/register", "/capability/unregister"])
@pytest.mark.parametrize("secret", ["wrong", f"Bearer {SECRET}", ""])
async def test_another_secret_is_a_400(orchestrator, http, path, secret):
    refused = await ask(http, path, json.dumps(TINT), headers={"Authorization": secret})
    assert refused == (400, "invalid authorization\n")
    assert list(orchestrator.capabilities) == []


@pytest.mark.parametrize("fields", [{"price_per_unit": 0.5}, {"capacity": "1"}, {"name": 7}])
async def test_a_wrong_type_is_a_400_in_gos_words(orchestrator, http, fields):
    status, said = await register(http, **fields)
    assert status == 400
    assert said.startswith("Error registering capability: json: cannot unmarshal ")
    assert list(orchestrator.capabilities) == []


async def test_a_stream_starts_with_the_token_whatever_the_capacity_and_a_401_removes_the_capability(
    orchestrator, http
):
    seen = []

    async def start(request):
        seen.append(request.headers.get("Authorization"))
        return web.json_response({}, status=200 if len(seen) < 3 else 401)

    async with served(web.post("/stream/start", start)) as url:
        await register(http, url=url, token="d3manded")  # noqa: S106
        for _ in range(2):
            assert (await ask(http, "/stream/start", '{"model_id": "tint"}'))[0] == 200
        assert orchestrator.capabilities.find("tint").load == 2
        assert (await ask(http, "/stream/start", '{"model_id": "tint"}'))[0] == 401
        assert list(orchestrator.capabilities) == []
        assert (await ask(http, "/stream/start", '{"model_id": "tint"}'))[0] == 503
    assert seen == ["Bearer d3manded"] * 3
