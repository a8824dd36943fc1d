"""What tests of the Live Runner orchestrator share."""

import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from web_rig import DEADLINE_S

from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.network.runner_file import StaticEntry, check_entries
from byoc_kit.network.runner_records import Heartbeat, RunnerError

SECRET = "orchestrator-secret"  # noqa: S105 - not a real one
PUBLIC = "https://public.example.com"
INTERNAL = "http://orchestrator:8935"
HEARTBEAT = Heartbeat(runner_url="https://runner.example.com", app="live-video-to-video/scope")


class Clock:
    """A clock that stands still until it is told that time passes."""

    def __init__(self):
        self.s = 0.0

    def __call__(self):
        return self.s

    def pass_(self, seconds):
        self.s += seconds


def static(label="first", *, is_healthy=True, **fields):
    """A checked entry of runners.json, with whether its runner is healthy."""
    url = fields.pop("runner_url", "http://runner.example.com")
    given = {"label": label, "runner_url": url, "health_url": "/health", "app": "live-video-to-video/scope", **fields}
    [entry] = check_entries((StaticEntry(**given),))
    return entry, is_healthy


def beat(runner_id="runner-1", **fields):
    return Heartbeat(**{**vars(HEARTBEAT), "runner_id": runner_id, **fields})


def refused(status, message=None):
    class Refused:
        def __enter__(self):
            self.raises = pytest.raises(RunnerError)
            self.caught = self.raises.__enter__()

        def __exit__(self, *exception):
            done = self.raises.__exit__(*exception)
            assert self.caught.value.status == status
            assert message is None or str(self.caught.value) == message
            return done

    return Refused()


async def messages(registry, channels, answer):
    """Write what waits and return the newest messages of a signal channel."""
    registry.write_messages()
    channel = channels.find(answer["o2r"]["channel_name"])
    first = max(0, channel.next_seq - 4)
    return [json.loads(await channel.read(seq)) for seq in range(first, channel.next_seq)]


class App:
    """A container behind the orchestrator that keeps each request; ``answers`` has handlers by path."""

    def __init__(self):
        self.requests = []
        self.health = 200
        self.answers = {}
        self.url = ""

    def routes(self):
        return [web.get("/health", self._health), web.route("*", "/{path:.*}", self._any)]

    async def _health(self, _):
        return web.Response(status=self.health)

    async def _any(self, request):
        answer = self.answers.get(request.path)
        if answer is not None:
            self.requests.append(request)
            return await answer(request)
        request.sent = await request.read()
        self.requests.append(request)
        return web.Response(status=202, text="proxied", headers={"X-Upstream": "ok"})


@asynccontextmanager
async def orchestrating(entries=(), *, secret=SECRET, certificate=None, **settings):
    """Serve an orchestrator of Live Runners alone; gives it and an HTTP client at its base URL, which trusts anyone."""
    live = LiveRunners(entries, RunnerSettings(secret=secret, **settings))
    async with serve_orchestrator(Orchestrator([]), live_runners=live, certificate=certificate) as url:
        timeout, connector = aiohttp.ClientTimeout(total=DEADLINE_S), aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(url, timeout=timeout, connector=connector) as http:
            yield live, http


async def ask(http, method, path, **options):
    """Return status and body: parsed where it is JSON."""
    async with http.request(method, path, **options) as response:
        body = await response.text()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status, json.loads(body) if is_json else body
