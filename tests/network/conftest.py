"""A registry of Live Runners with a clock that the test moves, and orchestrators with a container behind them."""

from datetime import UTC, datetime, timedelta

import pytest
from runner_rig import INTERNAL, PUBLIC, SECRET, App, Clock, beat, orchestrating, static
from web_rig import served

from byoc_kit.network.runner_urls import ProxyTemplate, RunnerUrls
from byoc_kit.network.runners import RunnerRegistry
from byoc_kit.trickle.channels import Channels


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def channels(clock):
    return Channels(clock=clock)


@pytest.fixture
def make(clock, channels):
    def make(*, proxies=PUBLIC + "/run/{proxy}", secret=SECRET, **options):
        urls = RunnerUrls(PUBLIC, INTERNAL, ProxyTemplate.parse(proxies))

        def now():
            return datetime(2026, 8, 18, tzinfo=UTC) + timedelta(seconds=clock())

        return RunnerRegistry(channels, urls, secret=secret, clock=clock, now=now, **options)

    return make


@pytest.fixture
def registry(make):
    return make()


@pytest.fixture
def register(registry):
    """Register a dynamic runner and return its answer."""

    def register(runner_id="runner-1", **fields):
        return registry.heartbeat(beat(runner_id, **fields), SECRET)

    return register


@pytest.fixture
async def app():
    """A container behind the orchestrator."""
    app = App()
    async with served(*app.routes()) as app.url:
        yield app


@pytest.fixture
async def proxied(app):
    """An orchestrator with a session of the container, which is below /base: it, a client, and the app's path."""
    entry, _ = static(runner_url=f"{app.url}/base", health_url=f"{app.url}/health", routing="label", capacity=2)
    async with orchestrating([entry]) as (live, http):
        yield live, http, f"/apps/first/session/{live.reserve('first').session_id}/app"


@pytest.fixture
async def single_shot(app):
    """An orchestrator whose container is single-shot and proxied: it, and a client."""
    entry, _ = static(runner_url=app.url, routing="label", mode="single-shot", proxy=True)
    async with orchestrating([entry]) as (live, http):
        yield live, http
