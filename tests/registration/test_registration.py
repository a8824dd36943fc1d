"""The registration's own thread."""

import asyncio
import threading
import time

import pytest
from registration_rig import DEADLINE_S, INTERVAL_S, QUICK, plan, until
from runner_rig import orchestrating

from byoc_kit.registration.live_runner import LiveRunner
from byoc_kit.registration.registration import Registration
from byoc_kit.registration.report import State
from byoc_kit.registration.streams import OwnStreams
from byoc_kit.system.concurrency import LoopThread


def quick(*given):
    return LiveRunner(*given, limits=QUICK)


class Sessions:
    """A server's sessions, as far as a registration asks for them."""

    def __init__(self):
        self.ids = []
        self.stopped = []

    def __len__(self):
        return len(self.ids)

    def live_session_ids(self):
        return list(self.ids)

    def dead_end(self):
        return None

    async def stop(self, stream_id):
        self.stopped.append(stream_id)
        await asyncio.sleep(0.2)
        self.ids.remove(stream_id)
        return 1


@pytest.fixture
def network():
    """An orchestrator on a thread of its own: the test's own loop may be blocked."""
    ready, end, found = threading.Event(), asyncio.Event(), []

    async def run():
        async with orchestrating(heartbeat_interval_s=INTERVAL_S, heartbeat_ttl_s=2.0) as (live, http):
            found.extend((live, str(http._base_url)))
            ready.set()
            await end.wait()

    thread = LoopThread("network", run)
    assert ready.wait(DEADLINE_S)
    yield found
    thread.call(end.set)
    thread.join(DEADLINE_S)


async def test_it_joins_when_it_is_started_and_leaves_at_the_end(network):
    live, url = network
    registration = Registration(plan(url), make=quick)
    assert registration.report.status()["state"] == "waiting"
    await registration.leave()  # nothing has begun
    registration.start(OwnStreams(Sessions()))
    await until(lambda: registration.report.is_registered)
    assert len(list(live.registry)) == 1
    await registration.leave()
    assert registration.report.state is State.LEFT
    assert list(live.registry) == []
    assert "registration" not in {thread.name for thread in threading.enumerate()}


async def test_one_that_leaves_while_it_registers_is_not_left_behind(network):
    live, url = network
    live.faults.delay_s = 0.3
    registration = Registration(plan(url), make=quick)
    registration.start(OwnStreams(Sessions()))
    await until(lambda: registration.report.heartbeats == 1)
    await registration.leave()
    assert registration.report.registrations == 1
    assert list(live.registry) == []


async def test_heartbeats_are_sent_while_the_servers_loop_is_blocked(network):
    live, url = network
    registration = Registration(plan(url), make=quick)
    sessions = Sessions()
    registration.start(OwnStreams(sessions))
    await until(lambda: registration.report.is_registered)
    [runner] = live.registry
    sessions.ids.append(live.registry.reserve(runner.route).session_id)
    before, ends_s = registration.report.heartbeats, time.monotonic() + DEADLINE_S
    while registration.report.heartbeats < before + 3:  # a busy loop of Python code, on the server's loop
        assert time.monotonic() < ends_s
    assert runner.session_ids() == sessions.ids
    await until(lambda: registration.report.heartbeats >= before + 6)
    assert sessions.stopped == []
    await registration.leave()


async def test_a_released_session_is_stopped_once_on_the_servers_loop(network):
    live, url = network
    registration = Registration(plan(url), make=quick)
    sessions = Sessions()
    registration.start(OwnStreams(sessions))
    await until(lambda: registration.report.is_registered)
    [runner] = live.registry
    released = live.registry.reserve(runner.route).session_id
    sessions.ids.append(released)
    before = registration.report.heartbeats
    await until(lambda: registration.report.heartbeats >= before + 2)
    live.registry.release(runner.route, released)
    await until(lambda: not sessions.ids)
    before = registration.report.heartbeats
    await until(lambda: registration.report.heartbeats >= before + 3)
    assert sessions.stopped == [released]
    await registration.leave()


async def test_a_session_that_has_ended_meanwhile_is_left_alone(caplog):
    caplog.set_level("INFO")
    sessions = Sessions()
    OwnStreams(sessions).end("session_gone")
    await asyncio.sleep(0)
    assert sessions.stopped == []
    assert caplog.text == ""


async def test_a_fault_of_ours_is_logged_and_it_begins_anew(caplog, monkeypatch):
    monkeypatch.setattr("byoc_kit.registration.registration._BEGIN_ANEW_S", 0.01)
    runs = []

    class Broken:
        def __init__(self, *_):
            pass

        async def run(self):
            runs.append(1)
            raise ZeroDivisionError

        async def leave(self, _):
            pass

    registration = Registration(plan("http://nowhere.example"), make=Broken)
    registration.start(OwnStreams(Sessions()))
    await until(lambda: len(runs) >= 2)
    await registration.leave()
    assert "a fault of byoc-kit" in caplog.text
