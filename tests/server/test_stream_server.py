import asyncio
import io
import json
import logging
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import av
import pytest
from media_rig import BOTH, VIDEO, written
from pydantic import Field, field_validator
from server_rig import CLIP, DEADLINE_S, until
from sound_clips import RATE, sound_clip
from stream_rig import served, streaming

from byoc_kit.core.params import Params
from byoc_kit.core.publish import publish
from byoc_kit.media.demux import open_clip, open_stream
from byoc_kit.server.requests import parsed
from byoc_kit.server.settings import ServerSettings
from byoc_kit.trickle.subscriber import read_channel
from byoc_kit.verification.stream_clip import Received, receive, send


class Tint(Params):
    gain: float = Field(1.4, ge=0, le=4)


def passthrough(frame):
    return frame


def tint(frame, params: Tint):
    tinted = frame.tensor.clone()
    tinted[..., 1] *= params.gain
    return frame.replace(tensor=tinted)


@pytest.fixture
async def ready(rig):
    async with rig(tint, params_type=Tint) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        yield it


async def test_health_is_exactly_ok_once_loaded(ready):
    async with ready.http.get(f"{ready.url}/health") as answer:
        assert answer.status == 200
        assert await answer.read() == b'{"status": "ok"}'
        assert answer.content_type == "application/json"


async def test_health_answers_and_start_is_refused_while_the_model_loads(rig):
    loaded = threading.Event()
    async with rig(passthrough, load_model=lambda: loaded.wait(30)) as it:
        assert await it.get("/health") == (503, {"status": "loading"})
        status, answer = await it.post("/stream/start", it.start_body())
        assert status == 503
        assert "loading" in answer["message"]
        assert (await it.post("/live-video-to-video", {"gateway_request_id": "x"}))[0] == 500
        loaded.set()
        await until(lambda: it.server._is_ready, "the server is ready")
        assert await it.get("/health") == (200, {"status": "ok"})


async def test_a_failing_load_model_is_an_error_that_says_so(rig):
    def load_model():
        message = "no weights here"
        raise OSError(message)

    async with rig(passthrough, load_model=load_model) as it:
        await until(lambda: it.server._load_error, "loading fails")
        status, answer = await it.get("/health")
        assert status == 503
        where = f"test_stream_server.py, line {load_model.__code__.co_firstlineno + 2}"
        assert answer == {"status": "error", "detail": f"load_model failed at {where}: OSError: no weights here"}


async def test_frames_and_sound_come_back(ready, clip):
    received = await ready.stream(ready.start_body(), clip)
    sent = list(clip.picture_times_s)
    assert set(received.arrived_s) <= set(sent)
    assert len(received.arrived_s) > len(sent) // 2  # a busy machine may drop some
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        assert {stream.codec_context.name for stream in container.streams} == {"h264", "aac"}


async def test_an_input_of_many_segments_comes_through_to_its_end(ready, clip):
    cut = [replace(chunk, begins_segment=number % 20 == 0) for number, chunk in enumerate(clip.chunks)]
    received = await ready.stream(ready.start_body(), replace(clip, chunks=cut))
    assert (
        max(received.arrived_s) > max(clip.picture_times_s) - 45_000
    )  # within the last half second; a busy machine may drop some


async def test_every_frame_is_accounted_for(ready, clip):
    seen = []
    body = ready.start_body()
    watching = asyncio.create_task(_watch(ready, seen))
    await ready.stream(body, clip)
    watching.cancel()
    last = seen[-1]
    assert last["frames_in"] >= last["frames_out"] + sum(last["drops"].get("process", {}).values())
    assert last["params"] == {"gain": 1.4}


async def _watch(it, seen):
    while True:
        if status := await it.stream_status():
            seen.append(status)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "gateway_request_id"),
        ({"gateway_request_id": 3}, "gateway_request_id"),
        ({"gateway_request_id": "x", "subscribe_url": 3}, "subscribe_url"),
        ({"gateway_request_id": "x", "events_url": "ftp://here"}, "events_url"),
        ({"gateway_request_id": "x", "params": [1]}, "params"),
        ({"gateway_request_id": "x", "params": {"gain": "much"}}, "params.gain"),
        ({"gateway_request_id": "x", "params": {"gain": 5}}, "params.gain"),
        ({"gateway_request_id": "x", "params": {"gian": 1}}, "params.gian"),
        ([], "body"),
        ("text", "body"),
    ],
)
async def test_a_wrong_start_names_the_field_and_leaves_the_server_well(ready, body, field):
    status, answer = await ready.post("/stream/start", body)
    assert (status, answer["field"]) == (400, field)
    assert answer["message"].startswith(f"{field}: ")
    assert await ready.get("/health") == (200, {"status": "ok"})


async def test_a_body_that_is_no_json_is_refused(ready):
    for path in ("/stream/start", "/live-video-to-video"):
        async with ready.http.post(f"{ready.url}{path}", data=b"{") as answer:
            assert answer.status == 400


@pytest.mark.parametrize("params", [None, {}, {"gain": 2}, '{"gain": 2}', {"params": {"gain": 2}}, ""])
async def test_params_are_taken_as_clients_send_them(ready, params):
    status, answer = await ready.post("/stream/start", ready.start_body(params=params))
    assert (status, answer["status"]) == (200, "success")
    assert (await ready.stream_status())["params"]["gain"] == (2 if params else 1.4)


async def test_a_second_start_is_refused_and_leaves_the_first_alone(ready, clip):
    body = ready.start_body()
    assert (await ready.post("/stream/start", body, headers={"X-Stream-Id": "first"}))[0] == 200
    status, answer = await ready.post("/stream/start", body, headers={"X-Stream-Id": "second"})
    assert status == 503
    assert "busy" in answer["message"]
    assert (await ready.stream_status())["stream_id"] == "first"


async def test_stop_takes_any_body_and_may_come_twice(ready):
    await ready.post("/stream/start", ready.start_body())
    for data, stopped in ((b"", 1), (b"plain text", 0), (b'{"a": 1}', 0)):
        async with ready.http.post(f"{ready.url}/stream/stop", data=data) as answer:
            assert (answer.status, (await answer.json())["stopped"]) == (200, stopped)


async def test_of_several_streams_a_nameless_request_takes_none(rig):
    async with rig(tint, params_type=Tint, options={"capacity": 2}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        for name in ("a", "b"):
            assert (await it.post("/stream/start", it.start_body(), headers={"X-Stream-Id": name}))[0] == 200

        def gains():
            return {status["stream_id"]: status["params"]["gain"] for status in it.server.sessions.status()}

        status, answer = await it.post("/stream/params", {"gain": 2})
        assert (status, answer["field"]) == (400, "X-Stream-Id")
        assert answer["message"] == "X-Stream-Id: 2 streams run; name the one to change"
        assert (await it.post("/stream/params", {"gain": 2}, headers={"X-Stream-Id": "b"}))[0] == 200
        assert gains() == {"a": 1.4, "b": 2}
        assert await it.post("/stream/stop") == (200, {"status": "success", "stopped": 0})
        assert await it.post("/stream/stop", {"stream_id": "a"}) == (200, {"status": "success", "stopped": 1})
        assert (await it.post("/stream/params", {"gain": 3}))[0] == 200
        assert gains() == {"b": 3}
        assert await it.post("/stream/stop") == (200, {"status": "success", "stopped": 1})


@pytest.mark.parametrize("name", ["two\ttabs", "\udcff", "x" * 256, "zero\u200bwidth"], ids=ascii)
async def test_a_stream_id_that_cannot_be_shown_is_refused(ready, name):
    # A header may hold any bytes; aiohttp's client would refuse to send some of them.
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ready.url.rpartition(":")[2]))
    body = json.dumps(ready.start_body()).encode()
    head = f"POST /stream/start HTTP/1.0\r\nX-Stream-Id: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode(errors="surrogateescape") + body)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
        "status": "error",
        "message": "X-Stream-Id: must be 255 printable characters at most",
        "field": "X-Stream-Id",
    }
    status, answer = await ready.post("/stream/start", {"gateway_request_id": "line\nbreak"})
    assert (status, answer["field"]) == (400, "gateway_request_id")
    assert "byoc_kit_streams 0.0" in await metrics(ready)


async def test_a_body_that_is_too_large_is_refused_in_the_routes_own_form(rig):
    async with rig(passthrough, options={"app_kwargs": {"client_max_size": 1000}}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body(params={"text": "x" * 1000})
        refused = {"status": "error", "message": "body: is larger than 1000 bytes", "field": "body"}
        assert await it.post("/stream/start", body) == (400, refused)
        assert await it.post("/stream/params", body) == (400, refused)
        assert await it.post("/live-video-to-video", body) == (400, {"detail": {"msg": refused["message"]}})
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        assert await it.post("/stream/stop", body) == (200, {"status": "success", "stopped": 1})


async def test_a_wrong_parameter_keeps_the_last_good_values(ready):
    await ready.post("/stream/start", ready.start_body(params={"gain": 2}))
    status, answer = await ready.post("/stream/params", {"gain": 9})
    assert (status, answer["field"]) == (400, "gain")
    assert (await ready.stream_status())["params"] == {"gain": 2}
    assert (await ready.post("/stream/params", {"gain": 3}))[0] == 200
    assert (await ready.stream_status())["params"] == {"gain": 3}
    assert (await ready.get("/health"))[0] == 200


@pytest.mark.parametrize("url", ["http://host/a\nb", "http://host/\x1b[31m", "http://ho st/a", " http://host/a"])
async def test_a_url_that_cannot_be_shown_is_refused(ready, url):
    status, answer = await ready.post("/stream/start", ready.start_body(subscribe_url=url))
    assert (status, answer["field"]) == (400, "subscribe_url")
    assert answer["message"] == "subscribe_url: must be printable, without a space"


async def test_the_password_of_a_url_is_in_no_status_and_no_event(ready, caplog):
    caplog.set_level(logging.INFO)
    body = ready.start_body()
    secret = {name: url.replace("://", "://me:s3cret@") for name, url in body.items() if name.endswith("_url")}
    await ready.post("/stream/start", {**body, **secret})
    shown = await ready.get("/stream/status")
    async with ready.http.get(f"{body['events_url']}/0") as answer:
        event = await answer.json()
    await ready.post("/stream/stop")
    assert event["subscribe_url"] == body["subscribe_url"]
    assert "s3cret" not in f"{shown} {event} {caplog.text} {ready.server.sessions.ended}"


class Texted(Params):
    text: str = ""
    gain: float = 1.0


async def test_a_long_parameter_is_left_out_of_status_and_events(rig):
    def process_frame(frame, params: Texted):
        return frame

    async with rig(process_frame, params_type=Texted) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        long = json.dumps(it.start_body(params={"text": "x" * 3_000_000, "gain": 2})).encode()
        assert (await it.post("/stream/start", data=io.BytesIO(long)))[0] == 200
        shown = {"text": "(3000002 characters)", "gain": 2}
        assert (await it.stream_status())["params"] == shown
        async with it.http.get(f"{it.trickle_url}/events/0") as answer:
            event = await answer.read()
        assert json.loads(event)["params"] == shown
        assert (await it.post("/stream/params", {"text": "short"}))[0] == 200
        assert (await it.stream_status())["params"] == {"text": "short", "gain": 2}


async def test_a_stream_is_a_line_in_the_log_at_its_start_and_one_at_its_end(ready, clip, caplog):
    caplog.set_level(logging.INFO, "byoc_kit.server")
    body = ready.start_body()
    await ready.stream(body, clip)
    size = ready.server.sessions.ended["input_size"]
    lines = [r.message for r in caplog.records if r.message.startswith("stream request-1")]
    assert lines[:2] == [
        f"stream request-1 starts: from {body['subscribe_url']}, to {body['publish_url']}",
        f"stream request-1: its input is {size}",
    ]
    last = rf"stream request-1 ended: the input ended; {size}, \d+ frames in, \d+ out, \d+ dropped, \d+\.\d s"
    assert re.fullmatch(last, lines[-1])
    assert len(lines) == 3


class Keeping(Params):
    keep: int = 0
    text: str = ""


async def test_a_parameter_named_keep_is_changed_by_both_ways(rig):
    def process_frame(frame, params: Keeping):
        return frame

    async with rig(process_frame, params_type=Keeping) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body()
        await it.post("/stream/start", body)

        async def keeps_5():
            return (await it.stream_status())["params"]["keep"] == 5

        assert (await it.post("/stream/params", {"keep": 3}))[0] == 200
        assert (await it.stream_status())["params"]["keep"] == 3
        async with it.http.post(f"{body['control_url']}/-1", data=json.dumps({"keep": 5})) as answer:
            assert answer.status == 200
        await until(keeps_5, "the control message is applied")


@pytest.fixture
def patient():
    """Return a class of parameters whose validator waits, for a value of 3, until it is let go."""

    class Patient(Params):
        gain: int = 1
        entered: ClassVar = threading.Event()
        released: ClassVar = threading.Event()

        @field_validator("gain")
        @classmethod
        def _wait(cls, value):
            if value == 3:
                cls.entered.set()
                assert cls.released.wait(DEADLINE_S)
            return value

    yield Patient
    Patient.released.set()


async def test_a_validator_that_waits_holds_up_its_own_request_alone(rig, patient):
    async with rig(passthrough, params_type=patient, options={"capacity": 2}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        headers = {"X-Stream-Id": "first"}
        starting = asyncio.create_task(it.post("/stream/start", it.start_body(params={"gain": 3}), headers=headers))
        await until(patient.entered.is_set, "the validator is at work")
        assert await it.get("/health") == (200, {"status": "ok"})
        status, answer = await it.post("/stream/start", it.start_body(), headers=headers)
        assert (status, answer["message"]) == (503, "busy: a stream first runs already; stop it first")
        assert (await it.post("/stream/start", it.start_body(), headers={"X-Stream-Id": "second"}))[0] == 200
        status, answer = await it.post("/stream/start", it.start_body(), headers={"X-Stream-Id": "third"})
        assert (status, answer["message"]) == (503, "busy: 2 of 2 streams run; stop one first")
        patient.released.set()
        assert (await starting)[0] == 200


async def test_changes_are_applied_one_after_the_other(rig, patient):
    async with rig(passthrough, params_type=patient) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        await it.post("/stream/start", it.start_body())
        first = asyncio.create_task(it.post("/stream/params", {"gain": 3}))
        await until(patient.entered.is_set, "the validator is at work")
        second = asyncio.create_task(it.post("/stream/params", {"gain": 4}))
        assert (await it.stream_status())["params"]["gain"] == 1
        patient.released.set()
        assert [(await request)[0] for request in (first, second)] == [200, 200]
        assert (await it.stream_status())["params"]["gain"] == 4


async def test_a_validator_that_never_returns_is_a_refusal(rig, patient):
    settings = ServerSettings(stall_timeout_s=0.2)
    async with rig(passthrough, params_type=patient, options={"settings": settings}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        status, answer = await it.post("/stream/start", it.start_body(params={"gain": 3}))
        assert (status, answer["message"]) == (400, "params: a validator has not returned for 0 s")
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        status, answer = await it.post("/stream/params", {"gain": 3})
        assert (status, answer["field"]) == (400, "params")
        assert (await it.post("/stream/params", {"gain": 2}))[0] == 200


async def test_a_stream_whose_parameters_are_checked_while_the_server_stops_is_refused(rig, patient):
    async with rig(passthrough, params_type=patient) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        starting = asyncio.create_task(it.post("/stream/start", it.start_body(params={"gain": 3})))
        await until(patient.entered.is_set, "the validator is at work")
        await it.server.stop()
        patient.released.set()
        assert await starting == (
            503,
            {"status": "error", "message": "the server is stopping; start the stream elsewhere"},
        )


async def test_a_long_body_is_parsed_on_a_thread():
    def parse(body):
        return len(body), threading.current_thread() is threading.main_thread()

    assert await parsed(b"x" * 1000, parse) == (1000, True)
    assert await parsed(b"x" * 1_000_000, parse) == (1_000_000, False)


async def test_a_body_of_a_hundred_thousand_names_is_one_short_refusal(ready):
    await ready.post("/stream/start", ready.start_body())
    unknown = {f"u{number}": 0 for number in range(100_000)}
    for path, body in (("/stream/params", unknown), ("/stream/start", ready.start_body(params=unknown))):
        status, answer = await ready.post(path, data=io.BytesIO(json.dumps(body).encode()))
        assert (status, answer["field"]) == (400, "body")
        assert answer["message"] == "body: has more than 50000 values; send large data as one string"
    status, answer = await ready.post("/stream/params", dict(list(unknown.items())[:40_000]))
    assert (status, answer["field"]) == (400, "u0")


async def test_an_unknown_path_and_a_wrong_method_are_answered_as_json(ready):
    assert await ready.get("/nope") == (
        404,
        {"status": "error", "message": "there is no /nope; GET / lists what there is"},
    )
    async with ready.http.delete(f"{ready.url}/health") as answer:
        assert answer.headers["Allow"] == "GET, HEAD"
        said = "DELETE is not taken here; send GET, HEAD"
        assert (answer.status, await answer.json()) == (405, {"status": "error", "message": said})
    status, content = await ready.get(f"/{'x' * 5000}")
    assert (status, len(content["message"]) < 3000) == (404, True)


async def test_params_without_a_stream_are_404(ready):
    assert (await ready.post("/stream/params", {"gain": 1}))[0] == 404


async def test_the_control_channel_changes_parameters_and_its_keep_alive_does_not(ready):
    body = ready.start_body()
    await ready.post("/stream/start", body)
    for message in ({"keep": "alive"}, {"gain": 99}, "not an object", {"gain": 2.5}):
        async with ready.http.post(f"{body['control_url']}/-1", data=json.dumps(message)) as answer:
            assert answer.status == 200

    async def is_changed():
        return (await ready.stream_status())["params"] == {"gain": 2.5}

    await until(is_changed, "the control message is applied")


async def test_a_process_frame_that_raises_lets_the_original_through_and_is_shown(rig, clip, caplog):
    def broken(frame):
        message = "out of luck"
        raise RuntimeError(message)

    seen = []
    async with rig(broken) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        watching = asyncio.create_task(_watch(it, seen))
        received = await it.stream(it.start_body(), clip)
        watching.cancel()
    assert received.arrived_s
    [failure] = seen[-1]["failures"]
    assert (failure["error"], failure["message"]) == ("RuntimeError", "out of luck")
    assert failure["where"].startswith("test_stream_server.py, line ")
    assert failure["count"] > 1
    assert len([r for r in caplog.records if "out of luck" in r.message]) == 1


async def test_events_say_status_at_once_and_stopped_at_the_end(ready):
    body = ready.start_body()
    await ready.post("/stream/start", body)
    async with ready.http.get(f"{body['events_url']}/0") as answer:
        event = json.loads(await answer.read())
    assert event["type"] == "status"
    assert event["stream_id"] == "request-1"
    await ready.post("/stream/stop")
    async with ready.http.get(f"{body['events_url']}/-2") as answer:
        assert json.loads(await answer.read())["type"] == "stream_stopped"


async def test_events_that_break_off_are_logged_at_once(ready, monkeypatch, caplog):
    async def broken(*_):
        raise RuntimeError("no event")

    monkeypatch.setattr("byoc_kit.server.events.publish_message", broken)
    assert (await ready.post("/stream/start", ready.start_body()))[0] == 200
    await until(lambda: "stream request-1 goes on without its events channel" in caplog.text, "the log says so")
    monkeypatch.undo()
    assert (await ready.post("/stream/stop"))[0] == 200
    assert caplog.text.count("without its events channel") == 1


async def test_stream_hooks_run_once_each(rig, clip):
    calls = []
    async with rig(
        passthrough,
        on_stream_start=lambda params: calls.append(("start", params)),
        on_stream_stop=lambda: calls.append(("stop",)),
    ) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        await it.stream(it.start_body(), clip.until(0.8))
    assert calls == [("start", Params()), ("stop",)]


async def test_a_stream_without_output_runs(rig, clip):
    frames = []
    async with rig(lambda frame: frames.append(frame.pts)) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body()
        del body["publish_url"]
        assert (await it.post("/stream/start", body))[0] == 200
        await send(it.http, body["subscribe_url"], clip)
        await it.until_idle()
    assert len(frames) > 5


async def test_input_that_is_no_video_ends_the_stream_and_not_the_server(ready):
    body = ready.start_body()
    await ready.post("/stream/start", body)
    async with ready.http.post(f"{body['subscribe_url']}/0", data=b"garbage" * 100_000) as answer:
        assert answer.status == 200
    async with ready.http.delete(body["subscribe_url"]):
        await ready.until_idle()
    assert await ready.get("/health") == (200, {"status": "ok"})


async def test_an_input_channel_that_is_gone_ends_the_stream(ready):
    body = ready.start_body(subscribe_url=f"{ready.trickle_url}/nowhere")
    await ready.post("/stream/start", body)
    await ready.until_idle()


async def test_starting_and_stopping_leaves_no_thread(ready, clip):
    await ready.stream(ready.start_body(), clip.until(0.8))
    before = {thread.name for thread in threading.enumerate()}
    for _ in range(5):
        body = ready.start_body()
        await ready.post("/stream/start", body)
        await ready.post("/stream/stop")
        for name in ("in", "out", "control", "events"):
            ready.channels.delete(name)

    def is_back():
        return (
            not {t.name for t in threading.enumerate() if t.name.startswith(("decode", "encode", "process"))} - before
        )

    await until(is_back, "the stream's threads end")


async def test_while_it_stops_health_is_not_ok_and_no_stream_is_started(rig):
    released = threading.Event()
    async with rig(passthrough, on_stream_stop=released.wait) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        stopping = asyncio.create_task(it.server.stop())
        await until(lambda: it.server.sessions.status()[0]["state"] == "stopping", "the stop has begun")
        assert await it.get("/health") == (503, {"status": "error", "detail": "the server is stopping"})
        assert (await it.get("/stream/status"))[1]["status"] == "error"
        status, answer = await it.post("/stream/start", {"gateway_request_id": "x"})
        assert (status, answer["message"]) == (503, "the server is stopping; start the stream elsewhere")
        assert (await it.post("/live-video-to-video", {"gateway_request_id": "x"}))[0] == 500
        released.set()
        await stopping
        assert (await it.post("/stream/start", {"gateway_request_id": "x"}))[0] == 503


async def test_a_start_whose_body_comes_once_it_stops_is_refused(ready):
    async def body():
        await ready.server.stop()
        yield b'{"gateway_request_id": "x"}'

    # The body is sent once the server has answered "100 Continue", and so is at it.
    async with ready.http.post(f"{ready.url}/stream/start", data=body(), expect100=True) as answer:
        assert answer.status == 503
    assert not len(ready.server.sessions)


async def test_the_ai_worker_contract_uses_its_own_words(rig):
    async with rig(passthrough, options={"settings": ServerSettings(contract="ai-worker")}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        assert await it.get("/health") == (200, {"status": "IDLE"})
        assert (await it.post("/live-video-to-video", it.start_body(stream_id="one")))[0] == 200
        assert await it.get("/health") == (200, {"status": "OK"})
        status, answer = await it.post("/live-video-to-video", {"gateway_request_id": "two"})
        assert status == 500
        assert "busy" in answer["detail"]["msg"]
        await it.post("/stream/stop")
        assert await it.get("/health") == (200, {"status": "IDLE"})


async def test_the_last_ended_stream_can_be_looked_up(ready, clip):
    await ready.stream(ready.start_body(params={"gain": 2.0}), clip.until(0.8))
    _, content = await ready.get("/stream/status")
    assert content["streams"] == []
    last = content["last_ended"]
    assert (last["stream_id"], last["params"], last["error"]) == ("request-1", {"gain": 2.0}, None)
    assert last["frames_in"] == last["frames_encoded"] == 20
    assert last["drops"] == {}
    assert set(last["timings_ms"]) == {"decode", "wait", "process", "encode", "publish"}
    assert last["latency_ms"]["p95"] > 0


async def test_no_frame_is_lost_from_the_first_to_the_last(rig, clip):
    async with rig(passthrough) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        received = await it.stream(it.start_body(), clip)
    assert sorted(received.arrived_s) == sorted(clip.picture_times_s)


async def test_width_and_height_resize_and_nothing_is_cropped(rig, clip):
    sizes = []
    async with rig(lambda frame: sizes.append((frame.width, frame.height)) or frame) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        received = await it.stream(it.start_body(params={"width": 160}), clip.until(0.8))
        assert (await it.post("/stream/start", it.start_body(params={"height": 7})))[1]["field"] == "params.height"
    assert set(sizes) == {(160, 90)}
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (160, 90)


async def test_published_messages_come_out_a_line_each_also_without_video_output(rig, clip):
    def process_frame(frame):
        publish({"pts": frame.pts})

    async with rig(process_frame, on_stream_start=lambda _: publish({"hello": 1})) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body(data_url=it.channel("data", "application/jsonl"))
        del body["publish_url"]
        lines = []

        async def read_lines():
            async for _, data in read_channel(it.http, body["data_url"], first_seq=0):
                lines.extend(json.loads(line) for line in data.splitlines())

        await it.post("/stream/start", body)
        reading = asyncio.create_task(read_lines())
        await send(it.http, body["subscribe_url"], clip.until(0.8))
        await it.until_idle()
        await reading
    assert lines[0] == {"hello": 1}
    assert len(lines) == 21
    assert it.server.sessions.ended["data_lines_out"] == 21


async def test_sound_goes_through_process_audio(rig, clip):
    def silence(frame):
        return frame.samples * 0

    async with rig(passthrough, process_audio=silence) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        received = await it.stream(it.start_body(), clip)
    assert len(received.arrived_s) == len(clip.picture_times_s)
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        samples = [abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)]
    assert len(samples) > 60
    assert max(samples) < 0.001


@pytest.mark.parametrize(("codec", "max_delay_us"), [("libopus", 0), ("aac", 700_000)])
async def test_process_audio_hears_all_of_the_sound(rig, codec, max_delay_us):
    """Opus is what a gateway makes of a browser's stream; several frames a PES packet are what ffmpeg sends."""
    heard = []

    def process_audio(frame):
        heard.append(frame.samples.shape[1])
        return frame

    async with rig(passthrough, process_audio=process_audio) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body()
        await it.post("/stream/start", body)
        received = Received()
        receiving = asyncio.create_task(receive(it.http, body["publish_url"], received))
        data = sound_clip(codec, max_delay_us=max_delay_us)
        async with it.http.post(f"{body['subscribe_url']}/0", data=data):
            pass
        async with it.http.delete(body["subscribe_url"]):
            await it.until_idle()
        await receiving
        assert it.server.sessions.ended["faults"] == {}
    assert sum(heard) == pytest.approx(2 * RATE, rel=0.03)
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        assert container.streams.audio[0].codec_context.name == codec.removeprefix("lib")


@pytest.mark.parametrize("hooks", [{}, {"process_audio": lambda frame: frame}], ids=["untouched", "process_audio"])
async def test_sound_that_comes_and_goes_is_lost_to_no_reader_that_goes_by_the_first_tables(rig, hooks):
    with open_clip(CLIP) as clip:
        sound = clip.streams.audio[0]
        packets = [packet for packet in clip.demux(sound) if packet.size]
        source, pictures, sounds = written((sound, packets), BOTH, VIDEO, BOTH)
    async with served(rig, **hooks) as it, streaming(it) as stream:
        for seq, segment in enumerate(source.all):
            await stream.post(seq, segment)
            await stream.until_frames_out((seq + 1) * pictures // len(source.all))
    count = Counter()
    with av.open(io.BytesIO(stream.output), format="mpegts") as container:
        for packet in container.demux([container.streams.video[0], container.streams.audio[0]]):
            count[packet.stream.type] += packet.size > 0
    assert count["video"] == pictures
    assert sounds - count["audio"] <= 2


async def test_a_process_audio_that_raises_lets_the_sound_through(rig, clip, caplog):
    def broken(frame):
        raise LookupError("no ears")

    async with rig(passthrough, process_audio=broken) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        received = await it.stream(it.start_body(), clip.until(1))
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        assert max(abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)) > 0.001
        [failure] = it.server.sessions.ended["failures"]
    assert (failure["error"], failure["message"]) == ("LookupError", "no ears")
    assert failure["where"] == f"test_stream_server.py, line {broken.__code__.co_firstlineno + 1}"
    assert failure["count"] > 1
    assert caplog.text.count(f"process_audio raised LookupError at {failure['where']}: no ears") == 1


async def test_sound_alone_goes_through(ready):
    body = ready.start_body()
    received = Received()
    await ready.post("/stream/start", body)
    receiving = asyncio.create_task(receive(ready.http, body["publish_url"], received))
    data = io.BytesIO()
    with av.open(str(CLIP)) as source, av.open(data, "w", format="mpegts") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None and packet.time_base * packet.dts < 3:  # fewer segments than a channel holds
                packet.stream = sound
                target.mux(packet)
    async with ready.http.post(f"{body['subscribe_url']}/0", data=data.getvalue()):
        pass
    async with ready.http.delete(body["subscribe_url"]):
        await ready.until_idle()
    await receiving
    with open_stream(io.BytesIO(bytes(received.data))) as container:
        assert not container.streams.video
        assert 139 <= sum(1 for _ in container.decode(audio=0)) <= 142


async def test_health_is_an_error_while_frames_fail_in_a_row_and_well_again_after(rig, clip):
    is_broken = True

    def process_frame(frame):
        if is_broken:
            raise ValueError("no luck")
        return frame

    async with rig(process_frame, options={"settings": ServerSettings(max_failures=3)}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body()
        await it.post("/stream/start", body)
        sending = asyncio.create_task(send(it.http, body["subscribe_url"], clip))

        async def health():
            return await it.get("/health")

        async def is_status(status):
            return (await health())[0] == status

        await until(it.server.sessions.problem, "three frames failed")
        status, content = await health()
        assert (status, content["status"]) == (503, "error")
        assert "frames failed: ValueError at test_stream_server.py, line " in content["detail"]
        assert "byoc_kit_healthy 0.0" in await metrics(it)
        is_broken = False
        await until(lambda: not it.server.sessions.problem(), "a frame went well")
        assert await health() == (200, {"status": "ok"})
        await sending
        await it.until_idle()


async def metrics(it):
    async with it.http.get(f"{it.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


async def test_a_process_frame_that_hangs_keeps_its_place_and_shows_in_health_until_it_returns(rig, clip):
    released = threading.Event()

    def hang(frame):
        released.wait()
        return frame

    options = {"settings": ServerSettings(stall_timeout_s=0.2, first_frame_timeout_s=0.2)}
    async with rig(hang, options=options) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        body = it.start_body()
        await it.post("/stream/start", body)
        await send(it.http, body["subscribe_url"], clip.until(0.5))
        await it.until_idle()
        status, content = await it.get("/health")
        assert (status, content["status"]) == (503, "error")
        assert content["detail"].startswith("process_frame has not returned for ")
        status, content = await it.post("/stream/start", it.start_body())
        assert status == 503
        assert "a hook has not returned from a stream that ended" in content["message"]
        released.set()
        await until(lambda: not it.server.sessions.problem(), "process_frame returns")
        assert await it.get("/health") == (200, {"status": "ok"})

        async def is_taken():
            return (await it.post("/stream/start", it.start_body()))[0] == 200

        await until(is_taken, "there is room again")


async def test_a_start_hook_that_raises_ends_the_stream_and_is_shown(rig):
    def refuse(params):
        raise OSError("no camera")

    async with rig(passthrough, on_stream_start=refuse) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        await it.until_idle()
        last = (await it.get("/stream/status"))[1]["last_ended"]
    where = f"test_stream_server.py, line {refuse.__code__.co_firstlineno + 1}"
    assert last["error"] == f"on_stream_start failed at {where}: OSError: no camera"


async def test_metrics_count_over_all_streams(ready, clip):
    assert "byoc_kit_streams_started_total 0.0" in await metrics(ready)
    for _ in range(2):
        body = ready.start_body()
        await ready.stream(body, clip.until(0.8))
        for name in ("in", "control", "events"):
            ready.channels.delete(name)
    text = await metrics(ready)
    for line in (
        "byoc_kit_streams_started_total 2.0",
        "byoc_kit_streams 0.0",
        "byoc_kit_healthy 1.0",
        'byoc_kit_frames_total{state="in"} 40.0',
        'byoc_kit_segments_total{state="lost"} 0.0',
    ):
        assert line in text.splitlines()
    encoded = re.search(r'^byoc_kit_frames_total{state="encoded"} (\d+)', text, re.MULTILINE)[1]
    dropped = re.findall(r'^byoc_kit_drops_total{place="(?!sound)\w+",.*} (\d+)', text, re.MULTILINE)
    assert int(encoded) + sum(map(int, dropped)) == 40  # a busy machine drops what is late


async def test_an_output_channel_that_is_gone_ends_the_stream(ready, clip):
    body = ready.start_body()
    await ready.post("/stream/start", body)
    sending = asyncio.create_task(send(ready.http, body["subscribe_url"], clip))

    async def is_output():
        return (status := await ready.stream_status()) and status.get("frames_encoded", 0) > 3

    await until(is_output, "pictures go out")
    ready.channels.delete("out")
    await ready.until_idle()
    await sending


async def test_the_output_channel_is_closed_at_the_end(ready, clip):
    body = ready.start_body()
    await ready.stream(body, clip.until(0.5))
    assert ready.channels.find("out") is None


async def test_frames_above_max_framerate_are_dropped_before_process_frame_and_counted(rig, clip):
    seen = []
    async with rig(lambda frame: seen.append(frame.pts) or frame) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        before = len(seen)  # the warm-up's
        receiving = asyncio.create_task(it.stream(it.start_body(params={"max_framerate": 10}), clip.until(0.8)))
        await until(lambda: len(it.server.sessions), "the stream has started")
        [(session, _)] = it.server.sessions._running.values()
        await receiving
    status = session.status()
    assert status["params"]["max_framerate"] == 10
    assert (status["frames_in"], len(seen) - before) == (20, 8)
    assert status["drops"]["decode"] == {"above max_framerate": 12}


async def test_a_stream_ends_while_the_thread_pool_of_asyncio_is_taken(ready, clip):
    """As hung streams take it: with each a thread waits for theirs."""
    released, loop = threading.Event(), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    taken = loop.run_in_executor(None, released.wait)
    try:
        body = ready.start_body()
        await ready.post("/stream/start", body)
        await send(ready.http, body["subscribe_url"], clip.until(0.4))
        await ready.until_idle()
        assert not taken.done()
    finally:
        released.set()
        await taken
