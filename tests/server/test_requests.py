import json

import pytest
from aiohttp.test_utils import make_mocked_request
from stream_rig import served

from byoc_kit.core.params import ParamsError
from byoc_kit.server.requests import AI_WORKER_ROUTE, parse_start, refused, within_params

OF_CLIENTS = {"max_framerate": 24, "width": 64, "height": 48}


def test_keys_that_nobody_knows_are_ignored():
    body = {"gateway_request_id": "x", "manifest_id": "m", "model_id": "tint", "later": {"a": [1]}}
    start = parse_start(json.dumps(body).encode())
    assert start.model_dump(exclude_unset=True) == {"gateway_request_id": "x", "params": {}}


@pytest.mark.parametrize("path", ["/stream/start", "/live-video-to-video"])
async def test_what_older_clients_send_starts_a_stream(rig, path):
    async with served(rig) as it:
        body = it.start_body(manifest_id="m", model_id="tint", stream_id="one", later=1, params=OF_CLIENTS)
        assert (await it.post(path, body))[0] == 200
        assert (await it.stream_status())["params"] == OF_CLIENTS


async def test_a_parameter_that_nobody_knows_is_named(rig):
    async with served(rig) as it:
        status, said = await it.post("/stream/start", it.start_body(params={**OF_CLIENTS, "hieght": 48}))
        assert (status, said["field"]) == (400, "params.hieght")
        assert said["message"] == "params.hieght: is no parameter of this model"


PLACED = {"gain": "params.gain", "width": "params.width", "params": "params", "params_scale": "params.params_scale"}


@pytest.mark.parametrize(("field", "placed"), PLACED.items())
def test_an_error_of_a_parameter_has_its_place_in_the_request(field, placed):
    error = within_params(ParamsError(field, "does not fit"))
    assert (error.field, error.reason) == (placed, "does not fit")


def refusal(path, status, **options):
    answer = refused(make_mocked_request("POST", path), status, "does not fit", **options)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("status", [400, 413, 422, 503])
def test_a_refusal_says_its_message_and_keeps_its_status(status):
    assert refusal("/stream/start", status) == (status, {"status": "error", "message": "does not fit"})


def test_a_refusal_names_its_field_in_the_message_and_in_a_key():
    said = {"status": "error", "message": "params.gain: does not fit", "field": "params.gain"}
    assert refusal("/stream/params", 400, field="params.gain") == (400, said)


@pytest.mark.parametrize(
    ("status", "known"), [(400, 400), (401, 401), (422, 422), (403, 400), (413, 400), (500, 500), (503, 500)]
)
def test_the_ai_worker_gets_a_status_that_it_knows(status, known):
    assert refusal(AI_WORKER_ROUTE, status) == (known, {"detail": {"msg": "does not fit"}})


def test_the_ai_worker_reads_the_field_in_the_message():
    assert refusal(AI_WORKER_ROUTE, 400, field="body")[1] == {"detail": {"msg": "body: does not fit"}}
