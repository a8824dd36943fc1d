"""A server that joins the network by itself: when it does, what it shows of that, and what it never shows."""

import asyncio
import logging
import os
import sys
import threading
from pathlib import Path

import aiohttp
import pytest
from registration_rig import INTERVAL_S, QUICK, TTL_S, Wire, answers, plan, until
from runner_rig import SECRET, orchestrating
from web_rig import served

from byoc_kit.registration.live_runner import LiveRunner
from byoc_kit.registration.registration import Registration
from byoc_kit.server.settings import ServerSettings
from byoc_kit.system import processes
from byoc_kit.system.processes import Tail

BUNDLE = Path(__file__).parents[2] / "export/green_tint"
TOKEN = "d3manded-by-the-container"  # noqa: S105  # not a real one


def quick(*given):
    return LiveRunner(*given, limits=QUICK)


@pytest.fixture
async def live():
    """An orchestrator; ``live.url`` is its address."""
    async with orchestrating(heartbeat_interval_s=INTERVAL_S, heartbeat_ttl_s=TTL_S) as (live, live.http):
        live.url = str(live.http._base_url)
        yield live


async def test_it_registers_once_its_model_is_loaded_and_unregisters_after_its_streams(rig, live):
    may_load = threading.Event()
    registration = Registration(plan(live.url), make=quick)
    options = {"registration": registration}
    async with rig(lambda frame: frame, load_model=may_load.wait, options=options) as it:
        _, status = await it.get("/stream/status")
        assert status["registration"]["state"] == "waiting"
        assert list(live.registry) == []
        may_load.set()
        await until(lambda: registration.report.is_registered)
        _, status = await it.get("/stream/status")
        [runner] = live.registry
        assert status["registration"]["runner_id"] == runner.record.runner_id
        assert status["registration"]["orchestrator"] == live.url
        assert status["registration"]["last_heartbeat_age_s"] < TTL_S
        await it.post("/stream/start", it.start_body())
        at_stop = []
        stop_all = it.server.sessions.stop_all

        async def stop_and_look():
            await stop_all()
            at_stop.append(len(list(live.registry)))

        it.server.sessions.stop_all = stop_and_look
        await it.server.stop()
        assert at_stop == [1]
        assert list(live.registry) == []


async def test_one_whose_model_does_not_load_never_registers(rig, live):
    def load_model():
        raise ZeroDivisionError

    registration = Registration(plan(live.url), make=quick)
    async with rig(lambda frame: frame, load_model=load_model, options={"registration": registration}) as it:

        async def has_failed():
            return (await it.get("/stream/status"))[1]["status"] == "error"

        while not await has_failed():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert registration.report.heartbeats == 0


async def test_a_server_that_does_not_register_says_nothing_of_it(rig):
    async with rig(lambda frame: frame) as it:
        _, status = await it.get("/stream/status")
        assert "registration" not in status
        async with it.http.get(f"{it.url}/metrics") as answer:
            assert "heartbeats" not in await answer.text()


async def test_no_secret_is_in_any_answer_event_or_line_of_the_log(rig, live, caplog):
    caplog.set_level(logging.DEBUG)
    wire = Wire(live.http)
    wire.faults = [
        answers(400, f"you sent {SECRET} and {TOKEN}"),
        answers(307, "", headers={"Location": f"http://{SECRET}@elsewhere.example/{SECRET}?{SECRET}"}),
    ]
    async with served(wire.route()) as url:
        registration = Registration(plan(url, token=TOKEN), make=quick)
        settings = ServerSettings(token=TOKEN, orchestrator_secret=SECRET)
        options = {"registration": registration, "settings": settings}
        async with rig(lambda frame: frame, options=options) as it:
            it.http.headers["Authorization"] = f"Bearer {TOKEN}"
            shown = []
            await until(lambda: registration.report.failures.total() >= 2 and registration.report.is_registered)
            [runner] = live.registry
            heartbeat_secret, signals = runner.heartbeat_secret, runner.signals.descriptor.channel_name
            wire.faults = [answers(401, f"no: {heartbeat_secret}")]
            before = registration.report.failures.total()
            await until(lambda: registration.report.failures.total() > before)
            assert (await it.post("/stream/start", it.start_body()))[0] == 200
            events = it.channels.find("events")
            await until(lambda: events.next_seq > 0)
            shown.append(await (await it.http.get(f"{it.trickle_url}/events/0")).text())
            for path in ("/", "/metrics", "/stream/status", "/health", "/version", "/nowhere"):
                async with it.http.get(f"{it.url}{path}") as answer:
                    shown.append(await answer.text())
            shown.append(str(await it.post("/stream/start", {"gateway_request_id": 7})))
            shown.append(repr([settings, registration.plan, registration.report.status()]))
    everything = "\n".join([*shown, caplog.text])
    for secret in (SECRET, TOKEN, heartbeat_secret, signals):
        assert secret not in everything
    assert "you sent *** and ***" in everything
    assert 'byoc_kit_heartbeats_failed_total{reason="http_400"} 1.0' in everything
    assert "byoc_kit_registered 1.0" in everything
    assert "byoc_kit_registrations_total 1.0" in everything


@pytest.mark.slow
async def test_a_container_joins_by_its_settings_serves_sessions_and_leaves_at_sigterm(tmp_path, free_port):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    log = Tail(100)
    container = f"http://127.0.0.1:{free_port}"
    command = [sys.executable, "-m", "byoc_kit.cli", "serve", str(BUNDLE), "--port", str(free_port)]
    async with orchestrating() as (live, http):
        url = str(http._base_url)
        given = {
            "BYOC_KIT_REGISTER_AS": "live-runner",
            "BYOC_KIT_ORCHESTRATOR_URL": url,
            "BYOC_KIT_ORCHESTRATOR_SECRET_FILE": str(tmp_path / "secret"),
            "BYOC_KIT_RUNNER_URL": container,
        }
        async with processes.running(command, log, environment={**os.environ, **given}, grace_s=10) as process:
            [runner] = await until(live.registry.discovered)
            session_id, app_url = await start_session(http, runner["url"])
            assert await start_session(http, runner["url"]) is None  # there is one place
            [stream] = (await status_of(container))["streams"]
            assert (stream["stream_id"], stream["is_live_session"]) == (session_id, True)
            async with http.get(f"{app_url}/stream/status") as answer:
                assert "registration" not in await answer.json()  # it is the operator's, not a client's
            await process.end()
        assert process.code == 0
        assert list(live.registry) == []
    said = "\n".join(log.lines)
    assert f"registered at {url} as the Live Runner {runner['url'].split('/')[-2]}" in said
    assert f"unregistered at {url}" in said
    assert SECRET not in said


async def start_session(http, url):
    """Reserve a session and start its stream, both as a client does; None where there is no place."""
    async with http.post(url) as answer:
        if answer.status == 503:
            return None
        reserved = await answer.json()
    async with http.post(f"{reserved['app_url']}/stream/start", json={}) as answer:
        assert answer.status == 200, await answer.text()
    return reserved["session_id"], reserved["app_url"]


async def status_of(url):
    async with aiohttp.ClientSession() as http, http.get(f"{url}/stream/status") as answer:
        return await answer.json()
