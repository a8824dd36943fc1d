"""What a container sends when it calls back for a session."""

from dataclasses import dataclass
from typing import TypeVar

from byoc_kit.network.runner_records import RunnerError

MAX_CHANNELS_A_REQUEST = 25

T = TypeVar("T")


@dataclass(frozen=True)
class ChannelRequest:
    """A channel that is asked for."""

    name: str = ""
    mime_type: str = ""


@dataclass(frozen=True)
class ChannelRequests:
    """The body of ``POST .../channels``."""

    channels: tuple[ChannelRequest, ...] = ()


@dataclass(frozen=True)
class ChannelNames:
    """The body of ``DELETE .../channels``."""

    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProxyRequest:
    """The body of ``POST .../proxy``."""

    target_url: str = ""


def checked_count(channels: tuple[T, ...]) -> tuple[T, ...]:
    """Return the channels of a request; raises RunnerError 400 for none, and for more than 25."""
    if not channels:
        raise RunnerError(400, "channels is required")
    if len(channels) > MAX_CHANNELS_A_REQUEST:
        raise RunnerError(400, f"channels cannot contain more than {MAX_CHANNELS_A_REQUEST} entries")
    return channels
