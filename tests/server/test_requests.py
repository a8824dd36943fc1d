import asyncio
import gzip
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from server_rig import until
from stream_rig import served

from byoc_kit.core.params import ParamsError
from byoc_kit.server.requests import AI_WORKER_ROUTE, bounded_bodies, parse_start, read_body, refused, within_params

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


class Bounded:
    """A server that takes a megabyte of bodies in all, half of that in one. ``reading`` counts the requests so far."""

    def __init__(self):
        self.reading = 0
        self.app = web.Application(middlewares=[bounded_bodies(1_000_000)], client_max_size=500_000)
        self.app.router.add_post("/", self._length)

    async def _length(self, request):
        self.reading += 1
        return web.json_response(len(await read_body(request)))

    async def send(self, body, **headers):
        async with self.http.post("/", data=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def bounded():
    it = Bounded()
    async with TestClient(TestServer(it.app)) as it.http:
        yield it


async def test_bodies_that_come_slowly_take_no_more_memory_than_there_is_for_all(bounded):
    may_end = asyncio.Event()

    async def slowly():
        yield b"x" * 200_000
        await may_end.wait()
        yield b"x" * 200_000

    slow = [asyncio.create_task(bounded.send(slowly())) for _ in range(2)]
    await until(lambda: bounded.reading == 2, "two bodies are being read")
    status, answer = await bounded.send(b"x" * 300_000)
    assert (status, answer["message"]) == (503, "busy: too much is being sent at once; try again")
    assert await bounded.send(b"{}") == (200, 2)
    may_end.set()
    assert await asyncio.gather(*slow) == [(200, 400_000)] * 2
    assert await bounded.send(b"x" * 300_000) == (200, 300_000)


async def test_a_packed_body_is_refused(bounded):
    status, answer = await bounded.send(gzip.compress(b"x"), **{"Content-Encoding": "gzip"})
    assert (status, answer["message"]) == (415, "a body in Content-Encoding gzip is not taken; send it as it is")
    assert await bounded.send(b"{}", **{"Content-Encoding": "identity"}) == (200, 2)
