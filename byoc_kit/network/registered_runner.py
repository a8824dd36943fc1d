"""One registered Live Runner: its secrets, its sessions, and the channel on which it hears of them."""

import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from byoc_kit.network.runner_file import StaticEntry
from byoc_kit.network.runner_records import SINGLE_SHOT, Heartbeat
from byoc_kit.network.runner_urls import RunnerUrls, joined
from byoc_kit.trickle.channels import Channels

MAX_WAITING_MESSAGES = 32
KEEP_ALIVE = b'{"keep":"alive"}'

_SEED_BYTES = 32

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChannelDescriptor:
    """A trickle channel as its container is told of it.

    ``internal_url`` is the container's own, and empty where ``url`` is already for the container.
    """

    name: str
    channel_name: str
    url: str
    internal_url: str
    mime_type: str

    def as_json(self) -> dict[str, str]:
        """Return what is sent."""
        return {key: value for key, value in vars(self).items() if key != "internal_url" or value}


class SignalChannel:
    """The channel on which a dynamic runner hears of its sessions ("o2r", orchestrator to runner).

    At most 32 messages wait to be written, and further ones are dropped. The channel itself keeps the last five.
    """

    def __init__(self, channels: Channels, descriptor: ChannelDescriptor) -> None:
        self.descriptor = descriptor
        self._channels = channels
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        channels.create(descriptor.channel_name, descriptor.mime_type)

    def queue(self, event: str, session_id: str, at: datetime) -> None:
        """Keep the message of an event, such as "reserved", for the next ``write``."""
        if self._is_closed:
            return
        if len(self._waiting) >= MAX_WAITING_MESSAGES:
            logger.warning("%s of %s is dropped: %d messages wait already", event, session_id, MAX_WAITING_MESSAGES)
            return
        timestamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"
        message = {"event": event, "session": session_id, "timestamp": timestamp}
        self._waiting.append(json.dumps(message, separators=(",", ":")).encode())

    def write(self) -> None:
        """Write the waiting messages. A channel that was swept while idle, or deleted, is not made again."""
        while self._waiting and not self._is_closed:
            self._publish(self._waiting.popleft())

    def keep_alive(self) -> None:
        """Write the keep-alive."""
        if not self._is_closed:
            self._publish(KEEP_ALIVE)

    def close(self) -> None:
        """End the channel; waiting messages are lost."""
        self._is_closed = True
        self._waiting.clear()
        self._channels.delete(self.descriptor.channel_name)

    def _publish(self, message: bytes) -> None:
        channel = self._channels.find(self.descriptor.channel_name)
        if channel is None:
            self._is_closed = True
            self._waiting.clear()
        else:
            channel.publish(message)


@dataclass
class Session:
    """One session: its channels by name, and the targets of its proxies by id."""

    created_s: float
    channels: dict[str, ChannelDescriptor] = field(default_factory=dict)
    proxies: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Runner:
    """A registered runner; a static one has a health URL, a dynamic one a heartbeat secret and a signal channel.

    ``seed`` is what all of its secrets are derived from. ``route`` is its name in URLs: its id or its label.
    """

    seed: bytes
    record: Heartbeat
    route: str
    last_heartbeat_s: float
    heartbeat_secret: str = ""
    signals: SignalChannel | None = None
    static: StaticEntry | None = None
    sessions: dict[str, Session] = field(default_factory=dict)

    def token(self, session_id: str) -> str:
        """Return a session's token, which stays the same as long as the session lives."""
        return derived_secret(self.seed, f"session:{session_id}")

    def session_ids(self) -> list[str]:
        """Return the ids of its sessions, the oldest first."""
        return sorted(self.sessions, key=lambda one: (self.sessions[one].created_s, one))

    def shown(self, urls: RunnerUrls) -> dict[str, Any]:
        """Return its entry of discovery, which leaves out its own URL."""
        record = self.record
        used = len(self.sessions)
        gpu = record.gpu and {key: value for key, value in vars(record.gpu).items() if value}
        optional = {"gpu": gpu, "version": record.version, "metadata": record.metadata}
        return {
            "url": self._entrance(urls),
            "app": record.app,
            "mode": record.mode,
            "capacity": record.capacity,
            "capacity_used": used,
            "capacity_available": record.capacity - used,
            **{key: value for key, value in optional.items() if value or (key == "gpu" and value is not None)},
        }

    def as_declared(self, entry: StaticEntry) -> dict[str, Any]:
        """Return the answer to its registration from an entry of ``runners.json``."""
        return {
            "runner_id": self.record.runner_id,
            "label": entry.label,
            "app": self.record.app,
            **({"proxy": True} if entry.proxy else {}),
            "runner_url": self.record.runner_url,
            "mode": self.record.mode,
            "health_url": entry.health_url,
            "healthy_status_code": entry.healthy_status_code,
            "healthy": self.record.is_ready,
        }

    def _entrance(self, urls: RunnerUrls) -> str:
        if self.record.mode != SINGLE_SHOT:
            return joined(urls.public, "apps", self.route, "session")
        if self.record.proxy:
            return urls.proxies.url(self.route)
        return joined(urls.public, "apps", self.route, "app")


def random_seed() -> bytes:
    """Return a new seed for the secrets of a runner."""
    return secrets.token_bytes(_SEED_BYTES)


def random_id(size: int) -> str:
    """Return ``size`` random bytes as lower-case base32."""
    return _base32(secrets.token_bytes(size))


def derived_secret(seed: bytes, label: str) -> str:
    """Return a secret that can be made only from the seed."""
    return _base32(hmac.digest(seed, label.encode(), hashlib.sha256))


def is_secret(given: str, secret: str) -> bool:
    """Compare in a time that does not depend on where the two differ."""
    return hmac.compare_digest(given.encode(), secret.encode())


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
