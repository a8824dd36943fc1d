"""The trickle channels of Live Runners: those of a session, and the one on which a runner hears of its sessions."""

import logging
import re
from collections import deque
from dataclasses import dataclass

from byoc_kit.network.runner_records import RunnerError
from byoc_kit.trickle.channels import Channels

MAX_WAITING_MESSAGES = 32
KEEP_ALIVE = b'{"keep":"alive"}'

_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_-]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrickleChannel:
    """A channel as its container is told of it; ``internal_url`` is empty where ``url`` is for the container."""

    name: str
    channel_name: str
    url: str
    internal_url: str
    mime_type: str

    def as_json(self) -> dict[str, str]:
        """Return what is sent."""
        return {key: value for key, value in vars(self).items() if key != "internal_url" or value}


class SignalChannel:
    """The channel on which a dynamic runner hears of its sessions ("o2r").

    At most 32 messages wait to be written, a further one is dropped; the channel itself keeps five.
    """

    def __init__(self, channels: Channels, channel: TrickleChannel) -> None:
        self.channel = channel
        self._channels = channels
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        channels.create(channel.channel_name, channel.mime_type)

    def queue(self, message: bytes) -> None:
        """Have a message written by the next ``write``."""
        if self._is_closed:
            return
        if len(self._waiting) >= MAX_WAITING_MESSAGES:
            logger.warning("a message for %s is dropped: %s", self.channel.channel_name, message.decode())
            return
        self._waiting.append(message)

    def write(self) -> None:
        """Write what waits. A channel that is gone, by an idle sweep or a DELETE, is not made again."""
        while self._waiting and not self._is_closed:
            self._publish(self._waiting.popleft())

    def keep_alive(self) -> None:
        """Write the keep-alive."""
        if not self._is_closed:
            self._publish(KEEP_ALIVE)

    def close(self) -> None:
        """End the channel; what still waits is lost."""
        self._is_closed = True
        self._waiting.clear()
        self._channels.delete(self.channel.channel_name)

    def _publish(self, message: bytes) -> None:
        channel = self._channels.find(self.channel.channel_name)
        if channel is None:
            self._is_closed = True
            self._waiting.clear()
        else:
            channel.publish(message)


def channel_name(name: str) -> str:
    """Return a channel's name as a session keeps it; raises RunnerError 400."""
    name = name.strip().replace("/", "-")
    if not name:
        raise RunnerError(400, "trickle channel name is required")
    if not _CHANNEL_NAME.fullmatch(name):
        raise RunnerError(400, "trickle channel name may only contain alphanumerics, underscores, or hyphens")
    return name
