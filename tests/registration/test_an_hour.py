"""An hour of heartbeats with faults, by a clock that does not wait: go-livepeer's own intervals, each fault many times.

What must hold is upstream's: a session lives as long as its orchestrator has it, so the container ends none before.
"""

import asyncio
import gc
import json
import random
import selectors
import tracemalloc

import pytest
from registration_rig import Streams, plan
from runner_rig import SECRET

from byoc_kit.network.go_json import decode
from byoc_kit.network.live_runners import RunnerSettings
from byoc_kit.network.runner_records import Heartbeat, RunnerError
from byoc_kit.network.runners import RunnerRegistry
from byoc_kit.registration.live_runner import LiveRunner
from byoc_kit.registration.orchestrator import CallError, Orchestrator
from byoc_kit.registration.report import Report
from byoc_kit.trickle.channels import Channels

HOUR_S = 3600
INTERVAL_S = 5
FAULTS = ["refused", "401", "404", "slow", "lost answer", "html", "black hole"]


class _Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        """Let the time pass that the loop would wait."""
        events = super().select(0)
        if not events and timeout:
            self.loop.now_s += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes as soon as nothing is left to do at the present moment."""

    def __init__(self):
        selector = _Selector()
        selector.loop = self
        self.now_s = 0.0
        super().__init__(selector)

    def time(self):
        return self.now_s


class Network(Orchestrator):
    """An orchestrator that is called without a wire, and the faults that one has."""

    def __init__(self, registry_of, seed):
        super().__init__(None, "http://orchestrator.example")
        self.random = random.Random(seed)  # noqa: S311  # faults, no secrets
        self.make_registry = registry_of
        self.registry = registry_of()
        self.is_down = False
        self.happened = dict.fromkeys(FAULTS, 0)

    async def post(self, path, body, secret, *, timeout_s):
        fault = self.random.choice(FAULTS) if self.random.random() < 0.35 else None
        if self.is_down:
            fault = "refused"
        elif fault is not None:
            self.happened[fault] += 1
        if fault == "refused":
            raise CallError("connection", "refused")
        if fault in ("401", "404"):  # of something between, not of the orchestrator
            raise CallError(f"http_{fault}", "no", status=int(fault))
        if fault == "html":
            raise CallError("http_502", "a web page", status=502)
        if fault == "black hole":
            await asyncio.sleep(timeout_s)
            raise CallError("timeout", "no answer")
        answer = self._answer(path, body, secret)
        if fault == "lost answer":
            raise CallError("connection", "reset")
        await asyncio.sleep(10 if fault == "slow" else 0.02)
        if isinstance(answer, RunnerError):
            raise CallError(f"http_{answer.status}", str(answer), status=answer.status)
        return answer

    def _answer(self, path, body, secret):
        try:
            if path.endswith("/unregister"):
                self.registry.unregister(path.split("/")[2], secret)
                return b""
            return json.dumps(self.registry.heartbeat(decode(body, Heartbeat), secret)).encode()
        except RunnerError as error:
            return error

    async def signals(self, _url, *, pause_s):
        await asyncio.sleep(pause_s)  # each is lost
        return
        yield

    def session_ids(self):
        """Return the sessions that it keeps alive: not those of a registration whose answer was lost."""
        registry = self.registry
        alive = [one for one in registry if not registry._is_expired(one) and one.heartbeat_secret == self._given]
        return {session_id for runner in alive for session_id in runner.sessions}

    def restart(self):
        self.registry.close()
        self.registry = self.make_registry()


class Container(Streams):
    """Ends what it is told to, and notes what the orchestrator still had."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.lost = []

    def end(self, session_id):
        if session_id in self.network.session_ids():
            self.lost.append(session_id)
        super().end(session_id)


async def clients(network, container):
    """Reserve sessions, start each a moment later, and stop some; the others are left to the orchestrator's fate."""
    chance = random.Random(1)  # noqa: S311
    while True:
        await asyncio.sleep(chance.uniform(0.5, 20))
        runners = [runner for runner in network.registry if network.registry._is_usable(runner)]
        if not runners or network.is_down:
            continue
        runner = chance.choice(runners)
        if len(runner.sessions) < 2:
            session_id = network.registry.reserve(runner.route).session_id
            await asyncio.sleep(chance.uniform(0, 2))
            if any(session_id in runner.sessions for runner in network.registry):
                container.session_ids.append(session_id)
        elif chance.random() < 0.5:
            network.registry.release(runner.route, chance.choice(list(runner.sessions)))


async def sweeps(network):
    while True:
        await asyncio.sleep(INTERVAL_S)
        network.registry.sweep()


async def restarts(network, done):
    """Five times in the hour: at once, or after an outage, shorter or longer than the orchestrator would remember."""
    for outage_s in (0, 3, 12, 40, 0):
        await asyncio.sleep(HOUR_S / 6)
        network.is_down = outage_s > 0
        await asyncio.sleep(outage_s)
        if outage_s != 3:
            network.restart()
            done.append(outage_s)
        network.is_down = False


def held():
    """Return the bytes that the registration has allocated and not freed, its tasks among them."""
    gc.collect()
    filters = [tracemalloc.Filter(True, pattern) for pattern in ("*/byoc_kit/registration/*", "*/asyncio/*")]
    taken = tracemalloc.take_snapshot().filter_traces(filters)
    return sum(one.size for one in taken.statistics("filename"))


async def an_hour(seed):
    loop = asyncio.get_running_loop()
    urls = RunnerSettings().urls("http://orchestrator.example")
    network = Network(lambda: RunnerRegistry(Channels(clock=loop.time), urls, secret=SECRET, clock=loop.time), seed)
    container, report, done = Container(network), Report(plan(network._url)), []
    runner = LiveRunner(plan(network._url), network, container, report)
    work = [runner.run(), clients(network, container), sweeps(network), restarts(network, done)]
    tasks = [asyncio.create_task(one) for one in work]
    sizes = []
    for _ in range(4):
        await asyncio.sleep(HOUR_S / 4)
        sizes.append(held() if tracemalloc.is_tracing() else 0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
    return network, container, report, done, sizes


def run(seed):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(an_hour(seed))


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level("ERROR")  # each fault is a line


@pytest.mark.parametrize("seed", range(5))
def test_no_session_is_lost_that_the_orchestrator_has(seed):
    network, container, report, done, _ = run(seed)
    assert container.lost == []
    assert report.heartbeats >= HOUR_S / INTERVAL_S
    assert min(network.happened.values()) >= 20
    assert report.registrations == 1 + len(done)  # so no fault has cost the registration, and each restart has one
    assert len(container.ended) >= 10


@pytest.mark.slow
def test_an_hour_leaves_nothing_in_memory():
    tracemalloc.start()
    try:
        *_, sizes = run(0)
    finally:
        tracemalloc.stop()
    assert sizes[0] > 0
    assert sizes[-1] - sizes[0] < 10_000  # of 540 heartbeats: 20 bytes of each are more
