"""The bodies of requests that containers send to the Live Runner orchestrator, and the rules for them.

The rules and the texts are those of go-livepeer's ``ai/runner/live_runner.go``, without payment.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from byoc_kit.errors import ByocKitError
from byoc_kit.network.go_json import Path, read_fields, refuse
from byoc_kit.network.runner_urls import split_http_url

PERSISTENT = "persistent"
SINGLE_SHOT = "single-shot"
MAX_METADATA_BYTES = 1024
MAX_CHANNELS_A_REQUEST = 25

_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)

T = TypeVar("T")


class RunnerError(ByocKitError):
    """A refusal of a Live Runner route: a status, and the text of its ``text/plain`` answer.

    ``path`` names the value of the request's body that is refused: the keys and indexes down to it.
    """

    def __init__(self, status: int, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.status = status
        self.path = path


@dataclass(frozen=True)
class Gpu:
    """A GPU as discovery shows it. A number in its place is its id, whose name go-livepeer looks up on its machine."""

    id: str = ""
    name: str = ""
    vram_mb: int = 0

    @classmethod
    def read_json(cls, value: Any, path: Path) -> Self:
        """Read a number or an object."""
        if type(value) is int:
            return cls(id=str(value))
        read: Self = read_fields(cls, value, path)
        return read


@dataclass(frozen=True)
class Price:
    """A number, given in JSON as a number or as text. An off-chain orchestrator checks no more of it."""

    text: str = ""

    @classmethod
    def read_json(cls, value: Any, path: Path) -> Self:
        """Read a number or the text of one."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            refuse(value, path, "json.Number")
        if not _NUMBER.fullmatch(str(value)):
            refuse(value, path, "json.Number")
        return cls(str(value))


@dataclass(frozen=True)
class PriceInfo:
    """``price_info`` of a runner, which an off-chain orchestrator reads and ignores."""

    price: Price = Price()
    currency: str = ""
    unit: str = ""


NO_PRICE = PriceInfo()


@dataclass(frozen=True)
class Heartbeat:
    """The body of ``POST /runners/heartbeat``. It describes the runner in full, so each one replaces the one before."""

    runner_id: str = ""
    label: str = ""
    proxy: bool = False
    runner_url: str = ""
    version: str = ""
    metadata: str = ""
    status: str = ""
    mode: str = ""
    gpu: Gpu | None = None
    app: str = ""
    capacity: int = 0
    price_info: PriceInfo = NO_PRICE
    session_ids: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether discovery shows the runner, and sessions can be reserved. Any other status hides it."""
        return self.status in ("", "ready")

    def checked(self) -> Self:
        """Return it with its defaults filled in; raises RunnerError 400 for the first rule it breaks."""
        if split_http_url(self.runner_url) is None:
            raise RunnerError(400, "invalid runner_url", ("runner_url",))
        if not self.app or self.app != self.app.strip():
            raise RunnerError(400, "app must be trimmed", ("app",))
        if len(self.metadata.encode()) > MAX_METADATA_BYTES:
            raise RunnerError(400, f"metadata must be at most {MAX_METADATA_BYTES} bytes", ("metadata",))
        if "\ufffd" in self.metadata:
            raise RunnerError(400, "metadata must not contain Unicode replacement character U+FFFD", ("metadata",))
        if self.status != self.status.strip().lower():
            raise RunnerError(400, "status must be lowercase and trimmed", ("status",))
        mode = {"": PERSISTENT, "single_shot": SINGLE_SHOT}.get(self.mode, self.mode)
        if mode not in (PERSISTENT, SINGLE_SHOT):
            raise RunnerError(400, f'mode must be "{PERSISTENT}" or "{SINGLE_SHOT}"', ("mode",))
        if self.capacity < 0:
            raise RunnerError(400, "capacity must be >= 0", ("capacity",))
        return replace(self, mode=mode, capacity=self.capacity or 1)


@dataclass(frozen=True)
class ChannelRequest:
    """A channel that a container asks for."""

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


def checked_channel_name(name: str) -> str:
    """Return a channel's name as its session keeps it; raises RunnerError 400."""
    name = name.strip().replace("/", "-")
    if not name:
        raise RunnerError(400, "trickle channel name is required")
    if not _CHANNEL_NAME.fullmatch(name):
        raise RunnerError(400, "trickle channel name may only contain alphanumerics, underscores, or hyphens")
    return name


def checked_proxy_target(target_url: str, runner_url: str) -> str:
    """Return where a session's proxy leads: to its container, or to another port of the same host.

    Raises RunnerError 400.
    """
    target_url = target_url.strip()
    if not target_url:
        return runner_url
    target = split_http_url(target_url)
    if target is None:
        raise RunnerError(400, _why_no_target(target_url))
    own = split_http_url(runner_url)
    if own is None or target.hostname != own.hostname:
        raise RunnerError(400, "target_url hostname must match registered runner_url hostname")
    return target.geturl()


def go_duration(seconds: float) -> str:
    """Return a duration as Go prints it: ``5s``, ``1m0s``, ``500ms``."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest:g}s"


def _why_no_target(target_url: str) -> str:
    scheme, found, rest = target_url.partition("://")
    if found and rest and scheme not in ("http", "https"):
        return "target_url scheme must be http or https"
    return "target_url must be an absolute URL"
