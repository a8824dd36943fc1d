import json

import aiohttp
import pytest

from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator


@pytest.fixture
async def http():
    async with serve_orchestrator(Orchestrator([])) as url, aiohttp.ClientSession(url) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "body: is no JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"model_id=tint", "body: is no JSON (Expecting value: line 1 column 1 (char 0))"),
        (b'["tint"]', "body: must be a JSON object"),
        (b"{}", "model_id: Field required"),
        (b'{"model_id": 3}', "model_id: Input should be a valid string"),
        (b'{"model_id": "tint", "params": [1]}', "params: Input should be a valid dictionary"),
    ],
)
async def test_a_start_that_does_not_fit_is_refused_in_a_sentence_that_names_the_field(http, body, sentence):
    async with http.post("/stream/start", data=body) as response:
        assert (response.status, await response.json()) == (400, {"detail": sentence})


async def test_a_start_needs_no_content_type(http):
    async with http.post("/stream/start", data=json.dumps({"model_id": "tint"})) as response:
        assert response.status == 503
        assert "no model 'tint' in aiModels.json" in (await response.json())["detail"]


async def test_the_documented_body_of_a_start_is_the_one_that_is_read(http):
    async with http.get("/openapi.json") as response:
        operation = (await response.json())["paths"]["/stream/start"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["model_id"]
    assert set(schema["properties"]) == {"model_id", "params"}
