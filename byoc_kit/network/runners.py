"""The registry of Live Runners: who is registered, their sessions, and the channels and proxies of those.

It keeps the rules of go-livepeer's ``ai/runner/live_runner.go``, without payment: the order of the checks, statuses and
texts are its own. Everything is synchronous, by an injected clock; nothing here knows of HTTP or of a loop.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from byoc_kit.network.proxy_urls import split_http_url
from byoc_kit.network.runner_channels import SignalChannel, TrickleChannel, channel_name
from byoc_kit.network.runner_records import BY_LABEL, SINGLE_SHOT, Heartbeat, RunnerError, StaticEntry
from byoc_kit.network.runner_secrets import derived_secret, is_secret, random_id, random_seed
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
    """A session that was reserved; ``app_url`` is the client's, or the container's own for a single-shot runner."""

    session_id: str
    app_url: str


@dataclass(frozen=True)
class AppTarget:
    """Where a request of a session goes: the container's URL, the path behind it, and who the session is."""

    route: str
    session_id: str
    token: str
    url: str
    app_path: str


@dataclass(frozen=True)
class SingleShotTarget:
    """A generated proxy of a single-shot runner: its request has no session yet."""

    route: str
    app_path: str


@dataclass
class Faults:
    """What an orchestrator does wrong on purpose, each a switch that may be turned at any time.

    ``fails_health`` has each health check of a static runner fail, which ends its sessions. ``loses_messages`` drops
    what a runner would hear of its sessions. ``is_full`` refuses each reservation for want of capacity. ``is_html``
    answers with a page that a proxy on the way would send, and ``delay_s`` waits before each answer.
    """

    fails_health: bool = False
    loses_messages: bool = False
    is_full: bool = False
    is_html: bool = False
    delay_s: float = 0.0


@dataclass
class Session:
    """One session: its channels by name, and the targets of its proxies by id."""

    created_s: float
    channels: dict[str, TrickleChannel] = field(default_factory=dict)
    proxies: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Runner:
    """A registered runner; a static one has a health URL, a dynamic one a heartbeat secret and a signal channel."""

    seed: bytes
    record: Heartbeat
    route: str
    last_heartbeat_s: float
    heartbeat_secret: str = ""
    signals: SignalChannel | None = None
    static: StaticEntry | None = None
    sessions: dict[str, Session] = field(default_factory=dict)

    def token(self, session_id: str) -> str:
        """Return a session's token, the same for all its life."""
        return derived_secret(self.seed, f"session:{session_id}")

    def session_ids(self) -> list[str]:
        """Return its sessions, the oldest first."""
        return sorted(self.sessions, key=lambda one: (self.sessions[one].created_s, one))


class RunnerRegistry:
    """Registers runners and reserves their sessions; each method raises RunnerError for what go-livepeer refuses.

    ``on_message`` is called when a message for a runner waits for ``write_messages``. ``secret`` is the
    registration secret ("orchSecret"): without one, runners are static only.
    """

    def __init__(
        self,
        channels: Channels,
        urls: RunnerUrls,
        *,
        secret: str = "",
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
        heartbeat_ttl_s: float = HEARTBEAT_TTL_S,
        faults: Faults | None = None,
        on_message: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.urls = urls
        self._channels = channels
        self._secret = secret
        self._interval_s = heartbeat_interval_s
        self._ttl_s = heartbeat_ttl_s
        self._faults = faults or Faults()
        self._on_message = on_message
        self._clock = clock
        self._now = now
        self._runners: dict[str, Runner] = {}

    def __iter__(self) -> Iterator[Runner]:
        return iter(list(self._runners.values()))

    def heartbeat(self, request: Heartbeat, authorization: str) -> dict[str, Any]:
        """Register a runner, or keep one alive and replace all that is known of it; returns the answer."""
        runner_id = request.runner_id.strip() or f"runner_{random_id(_ID_BYTES)}"
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
        """Register checked entries, each with whether it is healthy; a label that is there keeps its id and sessions.

        Runners that are not named stay.
        """
        return [self._upsert(entry, is_healthy=is_healthy) for entry, is_healthy in entries]

    def set_health(self, runner: Runner, *, is_healthy: bool) -> None:
        """Note a static runner's health. One failed check hides it and releases every session of it."""
        runner.record = replace(runner.record, status="ready" if is_healthy else "unavailable")
        if not is_healthy:
            self._release_all(runner)

    def discovered(self) -> list[dict[str, Any]]:
        """Return what discovery shows: the runners that are ready, without their own URLs."""
        return [self._shown(runner) for runner in self if self._is_usable(runner)]

    def mode(self, route: str) -> str:
        """Return the mode of a ready runner."""
        return self._ready(route).record.mode

    def reserve(self, route: str, session_id: str = "") -> Reservation:
        """Reserve one session of a runner's capacity, under a new id where none is given."""
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
        """Release a session; one that is not there is no error."""
        self._release(self._known(route), session_id)

    def target(self, route: str, session_id: str, app_path: str) -> AppTarget:
        """Return where a request of a session goes."""
        runner = self._ready(route)
        self._session(runner, session_id)
        return AppTarget(route, session_id, runner.token(session_id), runner.record.runner_url, app_path)

    def check_token(self, route: str, session_id: str, token: str) -> None:
        """Refuse a callback whose token is not the session's."""
        runner = self._ready(route)
        self._session(runner, session_id)
        if not is_secret(token, runner.token(session_id)):
            raise RunnerError(401, "invalid authorization")

    def create_channel(self, route: str, session_id: str, name: str, mime_type: str) -> TrickleChannel:
        """Create a channel of a session; a name that is taken gives the channel that has it, be it dead."""
        name = channel_name(name)
        session = self._session(self._ready(route), session_id)
        if name not in session.channels:
            whole = f"{session_id}-{name}"
            public, internal = trickle_url(self.urls.public, whole), trickle_url(self.urls.internal, whole)
            mime_type = mime_type if mime_type.strip() else "application/octet-stream"
            channel = TrickleChannel(name, whole, public, internal, mime_type)
            self._channels.create(whole, mime_type)
            session.channels[name] = channel
        return session.channels[name]

    def delete_channel(self, route: str, session_id: str, name: str) -> None:
        """Delete a channel of a session. One that the trickle server closed before cannot be, and keeps its name."""
        name = channel_name(name)
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
        """Return what a generated URL leads to; None where the request is for none."""
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
        """Remove the runners whose heartbeats ended."""
        for runner in self:
            if self._is_expired(runner):
                self._remove(runner)

    def write_messages(self) -> None:
        """Write the messages that wait for runners."""
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
        channel = TrickleChannel("o2r", name, trickle_url(self.urls.internal, name), "", "application/json")
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
            runner_id = f"runner_{random_id(_ID_BYTES)}"
            while runner_id in self._runners:
                runner_id = f"runner_{random_id(_ID_BYTES)}"
            runner = Runner(random_seed(), record, "", self._clock())
        else:
            runner_id = runner.record.runner_id
            del self._runners[runner.route]
        runner.record = replace(record, runner_id=runner_id)
        runner.static = entry
        runner.route = entry.label if entry.routing == BY_LABEL else runner_id
        # A dynamic runner of this route is lost, too, in go-livepeer, which leaves its channels open.
        if (taken := self._runners.get(runner.route)) is not None:
            self._remove(taken)
        self._runners[runner.route] = runner
        self.set_health(runner, is_healthy=is_healthy)
        shown = {
            "runner_id": runner_id,
            "label": entry.label,
            "app": record.app,
            "proxy": entry.proxy,
            "runner_url": record.runner_url,
            "mode": record.mode,
            "health_url": entry.health_url,
            "healthy_status_code": entry.healthy_status_code,
            "healthy": is_healthy,
        }
        return {key: value for key, value in shown.items() if key != "proxy" or value}

    def _shown(self, runner: Runner) -> dict[str, Any]:
        record = runner.record
        used = len(runner.sessions)
        gpu = record.gpu and {key: value for key, value in vars(record.gpu).items() if value}
        optional = {"gpu": gpu, "version": record.version, "metadata": record.metadata}
        return {
            "url": self._entrance(runner),
            "app": record.app,
            "mode": record.mode,
            "capacity": record.capacity,
            "capacity_used": used,
            "capacity_available": record.capacity - used,
            **{key: value for key, value in optional.items() if value or (key == "gpu" and value is not None)},
        }

    def _entrance(self, runner: Runner) -> str:
        if runner.record.mode != SINGLE_SHOT:
            return joined(self.urls.public, "apps", runner.route, "session")
        if runner.record.proxy:
            return self.urls.proxies.url(runner.route)
        return joined(self.urls.public, "apps", runner.route, "app")

    def _app_url(self, runner: Runner, session: Session, session_id: str) -> str:
        if runner.record.mode == SINGLE_SHOT:
            return runner.record.runner_url
        if runner.record.proxy:
            return self._create_proxy(runner, session, "")["url"]
        return joined(self.urls.session(runner.route, session_id), "app")

    def _create_proxy(self, runner: Runner, session: Session, target_url: str) -> dict[str, str]:
        target_url = target_url.strip()
        if target_url:
            target = split_http_url(target_url)
            if target is None:
                raise RunnerError(400, _what_is_wrong_with(target_url))
            own = split_http_url(runner.record.runner_url)
            if own is None or target.hostname != own.hostname:
                raise RunnerError(400, "target_url hostname must match registered runner_url hostname")
            target_url = target.geturl()
        proxy_id = random_id(_PROXY_ID_BYTES)
        session.proxies[proxy_id] = target_url or runner.record.runner_url
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
        """Forget a runner. Its signal channel is closed first, so it hears of no release any more."""
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
        timestamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"
        message = {"event": event, "session": session_id, "timestamp": timestamp}
        runner.signals.queue(json.dumps(message, separators=(",", ":")).encode())
        self._on_message()


def go_duration(seconds: float) -> str:
    """Return a duration as Go prints it: ``5s``, ``1m0s``, ``500ms``."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest:g}s"


def _what_is_wrong_with(target_url: str) -> str:
    scheme, found, rest = target_url.partition("://")
    if found and rest and scheme not in ("http", "https"):
        return "target_url scheme must be http or https"
    return "target_url must be an absolute URL"
