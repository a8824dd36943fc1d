"""What tests of the Live Runner orchestrator share."""

from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from web_rig import DEADLINE_S

from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.network.runner_records import StaticEntry, check_entries

SECRET = "orchestrator-secret"  # noqa: S105 - not a real one


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
async def orchestrating(entries=(), *, secret=SECRET, **settings):
    """Serve an orchestrator of Live Runners alone; gives it and an HTTP client at its base URL."""
    live = LiveRunners(entries, RunnerSettings(secret=secret, **settings))
    async with serve_orchestrator(Orchestrator([]), live_runners=live) as url:
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(url, timeout=timeout) as http:
            yield live, http
