import json

import pytest
from aiohttp.test_utils import make_mocked_request

from byoc_kit.server.requests import AI_WORKER_ROUTE, refused


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
