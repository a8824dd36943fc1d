"""``POST /process``, as a person asks it with curl and a program with a form."""

import asyncio
import json
import threading
from io import BytesIO

import aiohttp
import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import Field, field_validator
from runner_rig import orchestrating, static
from server_rig import until
from stream_rig import served

from byoc_kit.core.capability import LIVE_RUNNER_HEALTH
from byoc_kit.core.params import Params
from byoc_kit.media.still import read_still
from byoc_kit.server.process_route import format_chooser
from byoc_kit.server.settings import ServerSettings

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
GREY = np.full((31, 65, 3), 100, np.uint8)


class Tint(Params):
    gain: float = Field(1.4, ge=0, le=4)


def tint(frame, params: Tint):
    tinted = frame.tensor.clone()
    tinted[..., 1] *= params.gain
    return frame.replace(tensor=tinted)


def picture(format_="PNG", pixels=GREY):
    Image.fromarray(pixels).save(file := BytesIO(), format_)
    return file.getvalue()


@pytest.fixture
async def ready(rig):
    async with served(rig, tint, params_type=Tint) as it:
        yield it


async def process(it, data=None, query="", **options):
    """Return the status, the type and the body of an answer."""
    async with it.http.post(f"{it.url}/process{query}", data=data, **options) as answer:
        return answer.status, answer.content_type, await answer.read()


async def refusal(it, *asked, **options):
    status, content_type, body = await process(it, *asked, **options)
    assert content_type == "application/json"
    return status, json.loads(body)


def green_of(body):
    return read_still(body).pixels[15, 32].tolist()[1]


@pytest.mark.parametrize("format_", TYPES)
async def test_a_picture_comes_back_processed_in_its_own_format(ready, format_):
    status, content_type, body = await process(ready, picture(format_), headers={"Content-Type": TYPES[format_]})
    assert (status, content_type) == (200, TYPES[format_])
    still = read_still(body)
    assert (still.format, still.pixels.shape) == (format_, GREY.shape)
    assert np.abs(still.pixels.astype(int) - [100, 140, 100]).max() <= 3


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/octet-stream"])
async def test_the_bytes_alone_say_what_the_picture_is(ready, content_type):
    """As curl sends a body by itself, which it calls a form's."""
    status, content_type, body = await process(ready, picture(), headers={"Content-Type": content_type})
    assert (status, content_type, green_of(body)) == (200, "image/png", 140)


async def test_accept_chooses_the_format(ready):
    status, content_type, body = await process(ready, picture("PNG"), headers={"Accept": "image/webp"})
    assert (status, content_type, read_still(body).format) == (200, "image/webp", "WEBP")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "PNG"),
        ("*/*", "PNG"),
        ("image/*", "PNG"),
        ("image/jpeg", "JPEG"),
        ("text/html, image/avif, image/webp, */*;q=0.8", "WEBP"),
        ("image/jpeg;q=0.5, image/webp;q=0.9", "WEBP"),
        ("image/jpeg, image/png", "PNG"),
        ("IMAGE/JPEG; q=1", "JPEG"),
        ("image/png;q=0, */*", "JPEG"),
        ("image/png;q=0.1, image/*;q=0.2", "JPEG"),
    ],
)
def test_what_is_liked_best_is_chosen_and_else_the_pictures_own(accept, chosen):
    assert format_chooser(accept)("PNG") == chosen


@pytest.mark.parametrize("accept", ["image/gif", "application/json", "image/*;q=0", "*/*;q=0", "image/png;q=x"])
async def test_a_format_that_is_not_written_is_refused(ready, accept):
    status, said = await refusal(ready, picture(), headers={"Accept": accept})
    assert status == 406
    assert said["message"] == "pictures are written as image/jpeg, image/png, image/webp; accept one of them"


async def test_parameters_come_in_the_query(ready):
    status, _, body = await process(ready, picture(), '?params={"gain": 2}')
    assert (status, green_of(body)) == (200, 200)


def form_of(*fields):
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value, *options in fields:
        form.add_field(name, value, **(options[0] if options else {}))
    return form


FILE = {"filename": "in.png", "content_type": "image/png"}


@pytest.mark.parametrize("name", ["picture", "image", "file"])
async def test_a_form_has_a_picture_and_its_parameters(ready, name):
    form = form_of(("params", '{"gain": 0.5}'), (name, picture(), FILE))
    status, content_type, body = await process(ready, form)
    assert (status, content_type, green_of(body)) == (200, "image/png", 50)


async def test_what_a_form_says_comes_before_what_the_query_does(ready):
    form = form_of((("picture"), picture(), FILE), ("params", '{"gain": 0.5}'))
    assert green_of((await process(ready, form, '?params={"gain": 2}'))[2]) == 50


async def test_width_and_height_are_parameters_as_they_are_of_a_stream(ready):
    _, _, body = await process(ready, picture(), '?params={"width": 130, "max_framerate": 5}')
    assert read_still(body).pixels.shape == (62, 130, 3)


@pytest.mark.parametrize(
    ("params", "field", "message"),
    [
        ('{"gain": 5}', "params.gain", "params.gain: Input should be less than or equal to 4"),
        ('{"gian": 1}', "params.gian", "params.gian: is no parameter of this model; did you mean gain?"),
        ('{"width": 3}', "params.width", "params.width: must be an even number of 16 to 8192 pixels"),
        ("[1]", "params", "params: must be an object, not list"),
        ("{", "body", "body: is no JSON"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(ready, params, field, message):
    for asked in ((picture(), f"?params={params}"), (form_of(("picture", picture(), FILE), ("params", params)),)):
        status, said = await refusal(ready, *asked)
        assert (status, said["field"]) == (400, field)
        assert said["message"].startswith(message)
    assert 'outcome="processed"' not in await metrics(ready)


async def metrics(it):
    async with it.http.get(f"{it.url}/metrics") as answer:
        return await answer.text()


CUT = picture("PNG", np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))[:6000]


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 400, "picture: is missing; send the bytes of a JPEG, PNG or WebP"),
        (b"GIF89a", 415, "picture: is no JPEG, PNG or WebP"),
        (CUT, 400, "picture: is damaged (image file is truncated"),
    ],
    ids=["nothing", "another format", "cut"],
)
async def test_a_body_that_is_no_picture_is_refused(ready, data, status, message):
    answered, said = await refusal(ready, data)
    assert (answered, said["field"]) == (status, "picture")
    assert said["message"].startswith(message)


WRONG_FORMS = {
    "no picture": (form_of(("params", "{}")), "picture"),
    "two pictures": (form_of(("a", picture(), FILE), ("b", picture(), FILE)), "picture"),
    "parameters twice": (form_of(("params", "{}"), ("params", "{}"), ("a", picture(), FILE)), "params"),
}


@pytest.mark.parametrize("wrong", WRONG_FORMS)
async def test_a_form_of_other_parts_is_refused(ready, wrong):
    form, field = WRONG_FORMS[wrong]
    status, said = await refusal(ready, form)
    assert (status, said["field"]) == (400, field)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 1000 + b"\r\n--x--"),
    ],
    ids=["no boundary named", "no boundary", "a form in the form", "many headers"],
)
async def test_what_is_no_form_is_refused(ready, content_type, data):
    status, said = await refusal(ready, data, headers={"Content-Type": content_type})
    assert (status, said["status"]) == (400, "error")


async def test_a_picture_of_too_many_bytes_is_refused(rig):
    async with served(rig, tint, params_type=Tint, options={"app_kwargs": {"client_max_size": 1000}}) as it:
        for data in (bytes(1001), form_of(("picture", bytes(1001), FILE)), form_of(("params", "x" * 1001))):
            assert await refusal(it, data) == (
                413,
                {"status": "error", "message": "body: is larger than 1000 bytes", "field": "body"},
            )
        assert (await process(it, picture()))[0] == 200


async def test_a_picture_of_too_many_pixels_is_refused(ready, monkeypatch):
    monkeypatch.setattr("byoc_kit.media.still.MOST_STILL_PIXELS", 31 * 64)
    status, said = await refusal(ready, picture())
    assert (status, said["field"]) == (413, "picture")
    assert said["message"].startswith("picture: is 65x31 pixels large; send one of ")


async def test_a_picture_that_process_frame_drops_is_no_content(rig):
    async with served(rig, lambda _: None) as it:
        assert await process(it, picture()) == (204, "application/octet-stream", b"")
        assert 'byoc_kit_pictures_total{outcome="dropped"} 1.0' in await metrics(it)


async def test_an_exception_names_its_line_and_the_next_picture_is_processed(rig, caplog):
    def process_frame(frame):
        if frame.pixels.max() < 100:
            raise ValueError("too dark")
        return frame

    async with served(rig, process_frame) as it:
        line = process_frame.__code__.co_firstlineno + 2
        message = f"process_frame failed at test_process_route.py, line {line}: ValueError: too dark"
        assert await refusal(it, picture(pixels=GREY // 2)) == (500, {"status": "error", "message": message})
        assert message in caplog.text
        assert (await process(it, picture()))[0] == 200
        assert await it.get("/health") == (200, {"status": "ok"})
        assert 'byoc_kit_pictures_total{outcome="failed"} 1.0' in await metrics(it)


async def test_a_result_that_is_no_picture_is_an_exception(rig):
    async with served(rig, lambda _: torch.zeros(3, 4)) as it:
        status, said = await refusal(it, picture())
    assert status == 500
    assert "FrameError: a frame's tensor must be [1, H, W, 3]" in said["message"]


async def test_a_result_that_its_format_cannot_hold_is_said(rig):
    async with served(rig, lambda _: np.zeros((1, 17_000, 3), np.uint8)) as it:
        status, said = await refusal(it, picture("WEBP"))
        assert status == 500
        assert said["message"].startswith("17000x1 pixels cannot be written as WEBP ")
        assert (await process(it, picture("WEBP"), headers={"Accept": "image/png"}))[0] == 200


async def test_the_hooks_of_a_stream_are_around_the_frame_each_off_the_event_loop(rig):
    calls = []

    def called(name, result):
        def hook(*_):
            calls.append((name, threading.current_thread() is threading.main_thread()))
            return result

        return hook

    hooks = {"on_stream_start": called("start", None), "on_stream_stop": called("stop", None)}
    async with served(rig, called("frame", GREY), **hooks) as it:
        assert (await process(it, picture()))[0] == 200
    assert calls == [("start", False), ("frame", False), ("stop", False)]


@pytest.mark.parametrize("hook", ["on_stream_start", "process_frame"])
async def test_on_stream_stop_comes_also_after_a_hook_that_raises(rig, hook):
    stopped = []
    hooks = {"process_frame": lambda frame: frame, hook: lambda _: 1 / 0}
    async with served(rig, **hooks, on_stream_stop=lambda: stopped.append(1)) as it:
        status, said = await refusal(it, picture())
    assert (status, stopped) == (500, [1])
    assert said["message"].startswith(f"{hook} failed at ")


async def test_an_on_stream_stop_that_raises_is_logged_and_costs_no_picture(rig, caplog):
    async with served(rig, on_stream_stop=lambda: 1 / 0) as it:
        assert (await process(it, picture()))[0] == 200
    assert "a picture: on_stream_stop failed at " in caplog.text


class Held:
    """A ``process_frame`` that waits until it is let go."""

    def __init__(self):
        self.entered, self.released = threading.Event(), threading.Event()

    def __call__(self, frame):
        self.entered.set()
        self.released.wait()
        return frame


@pytest.fixture
def held():
    it = Held()
    yield it
    it.released.set()


async def test_a_picture_takes_a_place_from_streams_and_pictures_alike(rig, held):
    async with served(rig, held) as it:
        first = asyncio.create_task(process(it, picture()))
        await until(held.entered.is_set, "the first is processed")
        busy = {"status": "error", "message": "busy: 0 streams and 1 pictures have all 1 places; try again"}
        assert await refusal(it, picture()) == (503, busy)
        assert await it.post("/stream/start", it.start_body()) == (503, busy)
        assert it.server.sessions.is_occupied
        held.released.set()
        assert (await first)[0] == 200
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        status, said = await refusal(it, picture())
        assert (status, said["message"]) == (503, "busy: 1 of 1 streams run; stop one first")


async def test_pictures_are_processed_side_by_side_up_to_the_capacity(rig):
    both = threading.Barrier(2, timeout=20)

    def process_frame(frame):
        both.wait()
        return frame

    async with served(rig, process_frame, options={"capacity": 2}) as it:
        answers = await asyncio.gather(process(it, picture()), process(it, picture()))
    assert [status for status, *_ in answers] == [200, 200]


async def test_a_process_frame_that_hangs_is_given_up_and_keeps_its_place_until_it_returns(rig, held):
    settings, stopped = ServerSettings(stall_timeout_s=0.1, first_frame_timeout_s=0.2), []
    hooks = {"on_stream_stop": lambda: stopped.append(1), "options": {"settings": settings}}
    async with served(rig, held, **hooks) as it:
        status, said = await refusal(it, picture())
        assert (status, said["message"]) == (504, "process_frame has not returned in time")
        assert not stopped
        status, said = await refusal(it, picture())
        assert (status, said["message"].partition(":")[0]) == (503, "busy")
        status, said = await it.get("/health")
        assert status == 503
        assert said["detail"].startswith("process_frame has not returned for ")
        held.released.set()
        await until(lambda: not it.server.sessions.is_occupied, "it returns")
        assert stopped == [1]
        assert await it.get("/health") == (200, {"status": "ok"})
        assert (await process(it, picture()))[0] == 200


async def test_a_first_frame_may_take_as_long_as_that_of_a_stream(rig, held):
    settings = ServerSettings(stall_timeout_s=0.1, first_frame_timeout_s=60)
    async with served(rig, held, options={"settings": settings}) as it:
        asking = asyncio.create_task(process(it, picture()))
        await until(held.entered.is_set, "it is processed")
        await asyncio.sleep(0.3)  # longer than any other hook may take
        assert await it.get("/health") == (200, {"status": "ok"})
        held.released.set()
        assert (await asking)[0] == 200


async def test_a_validator_that_hangs_is_a_refusal(rig):
    released = threading.Event()

    class Waiting(Params):
        gain: int = 1

        @field_validator("gain")
        @classmethod
        def _wait(cls, value):
            return value if value == 1 else released.wait() and value

    options = {"settings": ServerSettings(stall_timeout_s=0.2)}
    async with served(rig, params_type=Waiting, options=options) as it:
        status, said = await refusal(it, picture(), '?params={"gain": 2}')
        released.set()
    assert (status, said["message"]) == (400, "params: a validator has not returned for 0 s")


async def test_while_the_model_loads_no_picture_is_taken(rig):
    loaded = threading.Event()
    async with rig(lambda frame: frame, load_model=lambda: loaded.wait(30)) as it:
        status, said = await refusal(it, picture())
        loaded.set()
    assert (status, said["message"]) == (503, "the model is loading; try again")


async def test_a_picture_that_is_processed_while_the_server_stops_comes_back(rig, held):
    async with served(rig, held) as it:
        asking = asyncio.create_task(process(it, picture()))
        await until(held.entered.is_set, "it is processed")
        stopping = asyncio.create_task(it.server.stop())
        await until(lambda: it.server.sessions._is_closed, "it stops")
        status, said = await refusal(it, picture())
        assert (status, said["message"]) == (503, "the server is stopping; start the stream elsewhere")
        held.released.set()
        assert (await asking)[0] == 200
        await stopping


async def test_a_process_frame_that_hangs_does_not_hold_up_a_stop(rig, held, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.one_picture.DRAIN_S", 0.1)
    async with served(rig, held) as it:
        asking = asyncio.create_task(refusal(it, picture()))
        await until(held.entered.is_set, "it is processed")
        await it.server.stop()
        status, said = await asking
        held.released.set()
    assert (status, said["message"]) == (504, "process_frame has not returned in time")


async def test_a_web_page_may_not_send_a_picture(ready):
    form = form_of(("picture", picture(), FILE))
    assert (await refusal(ready, form, headers={"Origin": "https://elsewhere.example"}))[0] == 403


async def test_the_prefix_is_before_the_route(rig):
    options = {"route_prefix": "/v1"}
    async with served(rig, options=options) as it, it.http.post(f"{it.url}/v1/process", data=picture()) as answer:
        assert answer.status == 200


async def test_it_is_the_app_of_a_single_shot_runner(ready):
    runner = {"mode": "single-shot", "runner_url": ready.url, "health_url": f"{ready.url}{LIVE_RUNNER_HEALTH}"}
    entry, _ = static("tint", routing="label", **runner)
    async with (
        orchestrating([entry]) as (_, http),
        http.post('/apps/tint/app/process?params={"gain":2}', data=picture()) as answer,
    ):
        assert (answer.status, green_of(await answer.read())) == (200, 200)
