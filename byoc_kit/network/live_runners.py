"""A small Live Runner orchestrator: the registry, its background tasks, and where the requests to apps go.

It does off-chain what go-livepeer's ``ai/runner/live_runner.go`` and ``server/ai_http.go`` do. It has no payment.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from byoc_kit.network.reverse_proxy import Forwarding, client_session
from byoc_kit.network.runner_file import StaticEntry
from byoc_kit.network.runner_records import PERSISTENT, SINGLE_SHOT, RunnerError
from byoc_kit.network.runner_urls import ProxyTemplate, RunnerUrls
from byoc_kit.network.runners import (
    HEARTBEAT_INTERVAL_S,
    HEARTBEAT_TTL_S,
    AppTarget,
    InjectedFaults,
    Reservation,
    RunnerRegistry,
    SingleShotTarget,
)
from byoc_kit.system.concurrency import background
from byoc_kit.trickle.channels import Channels

_SESSION_PATH = re.compile(r"/apps/([^/]+)/session/([^/]+)/app/(.*)", re.DOTALL)
_SINGLE_SHOT_PATH = re.compile(r"/apps/([^/]+)/app/(.*)", re.DOTALL)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunnerSettings:
    """The settings of a Live Runner orchestrator.

    ``public_url`` is its base URL for clients (go-livepeer: ``-serviceAddr``), by default where it is served.
    ``runner_url_base`` is that for containers (``-liveRunnerAddr``), by default the same. ``proxy_url`` is the template
    of generated proxies (``-liveRunnerProxyUrl``). Without a ``secret`` (``-orchSecret``) no container can register
    itself.
    """

    public_url: str = ""
    runner_url_base: str = ""
    proxy_url: str = ""
    secret: str = ""
    heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S
    heartbeat_ttl_s: float = HEARTBEAT_TTL_S
    health_interval_s: float = 5.0
    health_timeout_s: float = 3.0
    keep_alive_interval_s: float = 10.0

    def urls(self, base_url: str) -> RunnerUrls:
        """Return the URLs of an orchestrator that is served at ``base_url``."""
        public = (self.public_url or base_url).rstrip("/")
        proxies = ProxyTemplate.parse(self.proxy_url or f"{public}/run/{{proxy}}")
        return RunnerUrls(public, (self.runner_url_base or public).rstrip("/"), proxies)


class LiveRunners:
    """Registers Live Runners, checks their health and finds where requests go, inside ``running`` only.

    ``faults`` has switches for what it does wrong on purpose. They may be turned while it runs.
    """

    def __init__(self, entries: Iterable[StaticEntry] = (), settings: RunnerSettings | None = None) -> None:
        self.settings = settings or RunnerSettings()
        self.faults = InjectedFaults()
        self.registry: RunnerRegistry
        self.http: aiohttp.ClientSession
        self._entries = list(entries)
        self._message_waits = asyncio.Event()
        self.channels: Channels
        self._urls: RunnerUrls

    @asynccontextmanager
    async def running(self, channels: Channels, base_url: str) -> AsyncIterator[None]:
        """Run the background tasks during the body; ``channels`` are those of the trickle server."""
        self.channels = channels
        self._urls = self.settings.urls(base_url)
        async with AsyncExitStack() as stack:
            self.http = await stack.enter_async_context(client_session())
            self.registry = self._new_registry()
            stack.callback(self._close)
            await self.register_static(self._entries)
            for work, name in self._loops():
                await stack.enter_async_context(background(work, name=f"live runners: {name}"))
            yield

    async def register_static(self, entries: Iterable[StaticEntry]) -> list[dict[str, Any]]:
        """Register checked entries, each after a check of its health."""
        asked = [(entry, await self._is_healthy(entry)) for entry in entries]
        return self.registry.register_static(asked)

    async def check_health(self) -> None:
        """Check the health of all static runners, one after the other; a failure ends all sessions of its runner."""
        for runner in self.registry:
            if runner.static is not None:
                self.registry.set_health(runner, is_healthy=await self._is_healthy(runner.static))

    async def restart(self) -> None:
        """Forget all, as a restarted node does; then register again what was declared at the start."""
        self.registry.close()
        self.channels.close()
        self.registry = self._new_registry()
        await self.register_static(self._entries)

    def reserve(self, route: str) -> Reservation:
        """Reserve a session of a persistent runner."""
        if self.registry.mode(route) != PERSISTENT:
            raise RunnerError(400, "only persistent runners have sessions")
        return self.registry.reserve(route)

    def find_app(self, host: str, path: str) -> Forwarding | None:
        """Return where a request goes; None if it is to no app. One to a single-shot runner gets its session here."""
        target = self.registry.find_proxy(host, path)
        if isinstance(target, AppTarget):
            return self._forwarding(target)
        if isinstance(target, SingleShotTarget):
            return self._single_shot(target.route, target.app_path)
        if match := _SESSION_PATH.fullmatch(path):
            return self._forwarding(self.registry.target(*match.groups()))
        if match := _SINGLE_SHOT_PATH.fullmatch(path):
            return self._single_shot(*match.groups())
        return None

    def _close(self) -> None:
        self.registry.close()

    def _single_shot(self, route: str, app_path: str) -> Forwarding:
        registry = self.registry
        if registry.mode(route) != SINGLE_SHOT:
            raise RunnerError(400, "runner is not single-shot")
        session_id = registry.reserve(route).session_id
        return self._forwarding(
            registry.target(route, session_id, app_path), close=partial(_release, registry, route, session_id)
        )

    def _forwarding(self, target: AppTarget, *, close: Callable[[], None] = lambda: None) -> Forwarding:
        headers = {
            "Livepeer-Runner-Route": target.route,
            "Livepeer-Session-Id": target.session_id,
            "Livepeer-Session-Token": target.token,
            "Livepeer-Session-Control": self._urls.callbacks(target.route, target.session_id),
        }
        return Forwarding(target.url, target.app_path, headers, close)

    def _new_registry(self) -> RunnerRegistry:
        settings = self.settings
        return RunnerRegistry(
            self.channels,
            self._urls,
            secret=settings.secret,
            heartbeat_interval_s=settings.heartbeat_interval_s,
            heartbeat_ttl_s=settings.heartbeat_ttl_s,
            faults=self.faults,
            on_message=self._message_waits.set,
        )

    def _loops(self) -> Iterable[tuple[Any, str]]:
        yield self._sweep(), "expiry"
        yield self._check_health_regularly(), "health"
        yield self._keep_alive(), "keep-alive"
        yield self._write_messages(), "messages"

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_interval_s)
            self.registry.sweep()

    async def _check_health_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.settings.health_interval_s)
            await self.check_health()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self.settings.keep_alive_interval_s)
            self.registry.keep_alive()

    async def _write_messages(self) -> None:
        while True:
            await self._message_waits.wait()
            self._message_waits.clear()
            self.registry.write_messages()

    async def _is_healthy(self, entry: StaticEntry) -> bool:
        if self.faults.fails_health:
            return False
        timeout = aiohttp.ClientTimeout(total=self.settings.health_timeout_s)
        try:
            async with self.http.get(entry.health_url, timeout=timeout) as response:
                return response.status == entry.healthy_status_code
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False


def _release(registry: RunnerRegistry, route: str, session_id: str) -> None:
    try:
        registry.release(route, session_id)
    except RunnerError as error:  # the runner has gone, and its sessions with it
        logger.warning("the session %s of %s cannot be released: %s", session_id, route, error)
