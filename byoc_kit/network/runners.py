"""The registry of Live Runners: which runners are registered, their sessions, and the sessions' channels and proxies.

It keeps the rules of go-livepeer's ``ai/runner/live_runner.go``, without payment: the same checks in the same order,
with the same statuses and texts. All of it is synchronous and takes its time from an injected clock. It knows nothing
of HTTP or of an event loop.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from byoc_kit.network.registered_runner import (
    ChannelDescriptor,
    Runner,
    Session,
    SignalChannel,
    derived_secret,
    is_secret,
    random_id,
    random_seed,
)
from byoc_kit.network.runner_file import BY_LABEL, StaticEntry
from byoc_kit.network.runner_records import (
    SINGLE_SHOT,
    Heartbeat,
    RunnerError,
    checked_channel_name,
    checked_proxy_target,
    go_duration,
)
from byoc_kit.network.runner_urls import RunnerUrls, joined, trickle_url
from byoc_kit.trickle.channels import Channels

HEARTBEAT_INTERVAL_S = 5.0
HEARTBEAT_TTL_S = 20.0

_ID_BYTES = 5
_PROXY_ID_BYTES = 16
_NOT_FOUND = "runner not found"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reservation:
    """A reserved session; ``app_url`` is for clients, or the container's own URL if the runner is single-shot."""

    session_id: str
    app_url: str


@dataclass(frozen=True)
class AppTarget:
    """Where a session's request goes: the container's URL, the path after it, and the session's id and token."""

    route: str
    session_id: str
    token: str
    url: str
    app_path: str


@dataclass(frozen=True)
class SingleShotTarget:
    """A request to the generated proxy of a single-shot runner; it has no session yet."""

    route: str
    app_path: str


@dataclass
class InjectedFaults:
    """What an orchestrator does wrong on purpose; each switch may be turned at any time.

    Attributes
    ----------
    fails_health : bool
        Each health check of a static runner fails, which ends the runner's sessions.
    loses_messages : bool
        No message about sessions reaches a runner.
    is_full : bool
        Each reservation is refused, as if all capacity was used.
    is_html : bool
        Each answer is an HTML page with status 502, as a broken proxy on the way would send it.
    delay_s : float
        The wait before each answer, in seconds.
    """

    fails_health: bool = False
    loses_messages: bool = False
    is_full: bool = False
    is_html: bool = False
    delay_s: float = 0.0


class RunnerRegistry:
    """Registers runners and reserves their sessions; each method raises RunnerError where go-livepeer refuses.

    ``secret`` is the one that containers register with (go-livepeer: ``-orchSecret``). Without it there are only static
    runners. ``on_message`` is called when a message to a runner waits for ``write_messages``.
    """

    def __init__(
        self,
        channels: Channels,
        urls: RunnerUrls,
        *,
        secret: str = "",
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
        heartbeat_ttl_s: float = HEARTBEAT_TTL_S,
        faults: InjectedFaults | None = None,
        on_message: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.urls = urls
        self._channels = channels
        self._secret = secret
        self._interval_s = heartbeat_interval_s
        self._ttl_s = heartbeat_ttl_s
        self._faults = faults or InjectedFaults()
        self._on_message = on_message
        self._clock = clock
        self._now = now
        self._runners: dict[str, Runner] = {}

    def __iter__(self) -> Iterator[Runner]:
        return iter(list(self._runners.values()))

    def heartbeat(self, request: Heartbeat, authorization: str) -> dict[str, Any]:
        """Register a runner, or keep one alive and replace its record; returns the answer."""
        runner_id = request.runner_id.strip() or self._unused_id()
        record = replace(request.checked(), runner_id=runner_id)
        runner = self._runners.get(runner_id)
        if runner is None:
            return self._register(record, authorization)
        if self._is_expired(runner):
            raise RunnerError(404, _NOT_FOUND)
        if not is_secret(authorization, runner.heartbeat_secret):
            raise RunnerError(401, "invalid heartbeat authorization")
        if runner.static is not None:
            raise RunnerError(400, "static runner cannot heartbeat")
        runner.record = record
        runner.last_heartbeat_s = self._clock()
        return self._heartbeat_answer(runner)

    def unregister(self, runner_id: str, authorization: str) -> None:
        """Remove a dynamic runner and release its sessions."""
        runner = self._known(runner_id)
        if runner.static is not None:
            raise RunnerError(400, "static runner cannot unregister with heartbeat credentials")
        if not is_secret(authorization, runner.heartbeat_secret):
            raise RunnerError(401, "invalid authorization")
        self._remove(runner)

    def register_static(self, entries: Iterable[tuple[StaticEntry, bool]]) -> list[dict[str, Any]]:
        """Register checked entries, each with whether it is healthy.

        A runner of the same label keeps its id and sessions. Runners that the entries do not name stay.
        """
        return [self._upsert(entry, is_healthy=is_healthy) for entry, is_healthy in entries]

    def set_health(self, runner: Runner, *, is_healthy: bool) -> None:
        """Set a static runner's health. One failed check hides the runner and releases all its sessions."""
        runner.record = replace(runner.record, status="ready" if is_healthy else "unavailable")
        if not is_healthy:
            self._release_all(runner)

    def discovered(self) -> list[dict[str, Any]]:
        """Return the entries of discovery: the runners that are ready."""
        return [runner.shown(self.urls) for runner in self if self._is_usable(runner)]

    def mode(self, route: str) -> str:
        """Return the mode of a ready runner."""
        return self._ready(route).record.mode

    def reserve(self, route: str, session_id: str = "") -> Reservation:
        """Reserve one session of a runner's capacity, with a new id if none is given."""
        runner = self._ready(route)
        if session_id in runner.sessions:
            raise RunnerError(409, "session already exists")
        if self._faults.is_full or len(runner.sessions) >= runner.record.capacity:
            raise RunnerError(503, "no capacity available for runner")
        while not session_id or session_id in runner.sessions:
            session_id = f"session_{random_id(_ID_BYTES)}"
        session = Session(self._clock())
        reservation = Reservation(session_id, self._app_url(runner, session, session_id))
        runner.sessions[session_id] = session
        self._tell(runner, "reserved", session_id)
        return reservation

    def release(self, route: str, session_id: str) -> None:
        """Release a session; an unknown session is no error."""
        self._release(self._known(route), session_id)

    def target(self, route: str, session_id: str, app_path: str) -> AppTarget:
        """Return where a session's request goes."""
        runner = self._ready(route)
        self._session(runner, session_id)
        return AppTarget(route, session_id, runner.token(session_id), runner.record.runner_url, app_path)

    def check_token(self, route: str, session_id: str, token: str) -> None:
        """Refuse a callback whose token is not the session's."""
        runner = self._ready(route)
        self._session(runner, session_id)
        if not is_secret(token, runner.token(session_id)):
            raise RunnerError(401, "invalid authorization")

    def create_channel(self, route: str, session_id: str, name: str, mime_type: str) -> ChannelDescriptor:
        """Create a channel of a session. The same name again returns the same channel, even if it is closed by now."""
        name = checked_channel_name(name)
        session = self._session(self._ready(route), session_id)
        if name not in session.channels:
            whole = f"{session_id}-{name}"
            public, internal = trickle_url(self.urls.public, whole), trickle_url(self.urls.internal, whole)
            mime_type = mime_type if mime_type.strip() else "application/octet-stream"
            channel = ChannelDescriptor(name, whole, public, internal, mime_type)
            self._channels.create(whole, mime_type)
            session.channels[name] = channel
        return session.channels[name]

    def delete_channel(self, route: str, session_id: str, name: str) -> None:
        """Delete a channel of a session. One that the trickle server has closed cannot be deleted: its name is lost."""
        name = checked_channel_name(name)
        session = self._session(self._ready(route), session_id)
        channel = session.channels.get(name)
        if channel is None:
            raise RunnerError(404, "trickle channel not found")
        if self._channels.find(channel.channel_name) is None:
            raise RunnerError(500, "Invalid stream")
        self._channels.delete(channel.channel_name)
        del session.channels[name]

    def create_proxy(self, route: str, session_id: str, target_url: str) -> dict[str, str]:
        """Create a URL that leads to a session's container, or to another port of its host."""
        runner = self._ready(route)
        return self._create_proxy(runner, self._session(runner, session_id), target_url)

    def find_proxy(self, host: str, path: str) -> AppTarget | SingleShotTarget | None:
        """Return where a request to a generated URL goes; None if it is not to a generated URL."""
        match = self.urls.proxies.match(host, path)
        if match is None:
            return None
        for runner in self:
            for session_id, session in runner.sessions.items():
                if match.proxy_id in session.proxies and self._is_usable(runner):
                    target_url = session.proxies[match.proxy_id]
                    return AppTarget(runner.route, session_id, runner.token(session_id), target_url, match.app_path)
        single = self._runners.get(match.proxy_id)
        if single is not None and single.record.proxy and single.record.mode == SINGLE_SHOT:
            return SingleShotTarget(match.proxy_id, match.app_path)
        raise RunnerError(404, "live runner proxy not found")

    def sweep(self) -> None:
        """Remove the runners whose heartbeats have ended."""
        for runner in self:
            if self._is_expired(runner):
                self._remove(runner)

    def write_messages(self) -> None:
        """Write the messages that wait, to each dynamic runner."""
        for runner in self:
            if runner.signals is not None:
                runner.signals.write()

    def keep_alive(self) -> None:
        """Write a keep-alive to each dynamic runner."""
        for runner in self:
            if runner.signals is not None:
                runner.signals.keep_alive()

    def close(self) -> None:
        """Remove all runners."""
        for runner in self:
            self._remove(runner)

    def _register(self, record: Heartbeat, authorization: str) -> dict[str, Any]:
        if not self._secret:
            raise RunnerError(404, "dynamic live runner registration is disabled")
        if not is_secret(authorization, self._secret):
            raise RunnerError(401, "invalid registration authorization")
        seed = random_seed()
        name = f"{record.runner_id}-{derived_secret(seed, 'trickle:o2r')[:16]}-o2r"
        channel = ChannelDescriptor("o2r", name, trickle_url(self.urls.internal, name), "", "application/json")
        runner = Runner(
            seed,
            record,
            record.runner_id,
            self._clock(),
            heartbeat_secret=derived_secret(seed, "heartbeat"),
            signals=SignalChannel(self._channels, channel),
        )
        self._runners[runner.route] = runner
        logger.info("runner %s is registered: %s at %s", record.runner_id, record.app, record.runner_url)
        once = {"heartbeat_secret": runner.heartbeat_secret, "o2r": channel.as_json()}
        return {**self._heartbeat_answer(runner), **once}

    def _heartbeat_answer(self, runner: Runner) -> dict[str, Any]:
        return {
            "runner_id": runner.record.runner_id,
            "orchestrator": self.urls.internal,
            "heartbeat_interval": go_duration(self._interval_s),
            "heartbeat_ttl": go_duration(self._ttl_s),
            "session_ids": runner.session_ids(),
        }

    def _upsert(self, entry: StaticEntry, *, is_healthy: bool) -> dict[str, Any]:
        record = entry.record()
        runner = next((one for one in self if one.static is not None and one.static.label == entry.label), None)
        if runner is None:
            runner_id = self._unused_id()
            runner = Runner(random_seed(), record, "", self._clock())
        else:
            runner_id = runner.record.runner_id
            del self._runners[runner.route]
        runner.record = replace(record, runner_id=runner_id)
        runner.static = entry
        runner.route = entry.label if entry.routing == BY_LABEL else runner_id
        # go-livepeer loses a dynamic runner of this route too, and leaves its channels open.
        if (taken := self._runners.get(runner.route)) is not None:
            self._remove(taken)
        self._runners[runner.route] = runner
        self.set_health(runner, is_healthy=is_healthy)
        return runner.as_declared(entry)

    def _unused_id(self) -> str:
        while (runner_id := f"runner_{random_id(_ID_BYTES)}") in self._runners:
            pass
        return runner_id

    def _app_url(self, runner: Runner, session: Session, session_id: str) -> str:
        if runner.record.mode == SINGLE_SHOT:
            return runner.record.runner_url
        if runner.record.proxy:
            return self._create_proxy(runner, session, "")["url"]
        return joined(self.urls.session(runner.route, session_id), "app")

    def _create_proxy(self, runner: Runner, session: Session, target_url: str) -> dict[str, str]:
        target_url = checked_proxy_target(target_url, runner.record.runner_url)
        proxy_id = random_id(_PROXY_ID_BYTES)
        session.proxies[proxy_id] = target_url
        return {"proxy_id": proxy_id, "url": self.urls.proxies.url(proxy_id)}

    def _known(self, route: str) -> Runner:
        runner = self._runners.get(route)
        if runner is None or self._is_expired(runner):
            raise RunnerError(404, _NOT_FOUND)
        return runner

    def _ready(self, route: str) -> Runner:
        runner = self._known(route)
        if not runner.record.is_ready:
            raise RunnerError(404, _NOT_FOUND)
        return runner

    def _session(self, runner: Runner, session_id: str) -> Session:
        session = runner.sessions.get(session_id)
        if session is None:
            raise RunnerError(404, "runner session not found")
        return session

    def _is_usable(self, runner: Runner) -> bool:
        return runner.record.is_ready and not self._is_expired(runner)

    def _is_expired(self, runner: Runner) -> bool:
        return runner.static is None and self._clock() - runner.last_heartbeat_s > self._ttl_s

    def _remove(self, runner: Runner) -> None:
        """Remove a runner. Its signal channel is closed first, so that it hears of no more releases."""
        if runner.signals is not None:
            runner.signals.close()
        self._release_all(runner)
        del self._runners[runner.route]
        logger.info("runner %s is removed", runner.record.runner_id)

    def _release_all(self, runner: Runner) -> None:
        for session_id in list(runner.sessions):
            self._release(runner, session_id)

    def _release(self, runner: Runner, session_id: str) -> None:
        session = runner.sessions.pop(session_id, None)
        if session is None:
            return
        self._tell(runner, "released", session_id)
        for channel in session.channels.values():
            self._channels.delete(channel.channel_name)

    def _tell(self, runner: Runner, event: str, session_id: str) -> None:
        if runner.signals is None or self._faults.loses_messages:
            return
        runner.signals.queue(event, session_id, self._now())
        self._on_message()
