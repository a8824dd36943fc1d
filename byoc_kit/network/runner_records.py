"""What a Live Runner declares of itself: a heartbeat's body, an entry of ``runners.json``, and their rules.

They are those of go-livepeer's ``ai/runner/live_runner.go``, without payment, its texts included.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from byoc_kit.errors import ByocKitError
from byoc_kit.network.go_json import Path, decode, read_fields, refuse
from byoc_kit.network.proxy_urls import split_http_url

PERSISTENT = "persistent"
SINGLE_SHOT = "single-shot"
BY_RUNNER_ID = "runner-id"
BY_LABEL = "label"
MAX_METADATA_BYTES = 1024

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class RunnerError(ByocKitError):
    """What a Live Runner route refuses: a status, and a text for its ``text/plain`` answer.

    ``path`` is the value of the request's body that it is about: the keys and indexes down to it.
    """

    def __init__(self, status: int, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.status = status
        self.path = path


@dataclass(frozen=True)
class Gpu:
    """A GPU as discovery shows it. A number in its place is its id: its name would be the orchestrator's to look up."""

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
    """A number, in JSON or as text. Off-chain nothing more is asked of it."""

    text: str = ""

    @classmethod
    def read_json(cls, value: Any, path: Path) -> Self:
        """Read a number or a text that is one."""
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


@dataclass(frozen=True)
class Heartbeat:
    """The body of ``POST /runners/heartbeat``: all that is known of a runner, so each one replaces the one before."""

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
    price_info: PriceInfo = PriceInfo()
    session_ids: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether its runner is shown and may have sessions; any other status than these hides it."""
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
class StaticEntry:
    """One runner of ``runners.json``."""

    label: str = ""
    routing: str = ""
    proxy: bool = False
    runner_url: str = ""
    version: str = ""
    metadata: str = ""
    mode: str = ""
    gpu: Gpu | None = None
    app: str = ""
    capacity: int = 0
    price_info: PriceInfo = PriceInfo()
    health_url: str = ""
    healthy_status_code: int = 0

    def with_defaults(self) -> Self:
        """Return it with its routing, status code and whole health URL."""
        routing = self.routing.strip() or BY_RUNNER_ID
        if routing not in (BY_RUNNER_ID, BY_LABEL):
            raise RunnerError(400, f'routing must be "{BY_RUNNER_ID}" or "{BY_LABEL}"', ("routing",))
        status = self.healthy_status_code or 200
        return replace(self, routing=routing, healthy_status_code=status, health_url=self._whole_health_url())

    def record(self) -> Heartbeat:
        """Return what its runner is registered with; raises RunnerError 400 for the first rule it breaks."""
        if not self.label or self.label != self.label.strip():
            raise RunnerError(400, "label is required and must be trimmed", ("label",))
        if not self.health_url:
            raise RunnerError(400, "health_url is required", ("health_url",))
        if split_http_url(self.health_url) is None:
            raise RunnerError(400, "invalid health_url", ("health_url",))
        if not 100 <= self.healthy_status_code <= 599:
            raise RunnerError(400, "healthy_status_code must be a valid HTTP status code", ("healthy_status_code",))
        return Heartbeat(
            label=self.label,
            proxy=self.proxy,
            runner_url=self.runner_url,
            version=self.version,
            metadata=self.metadata,
            mode=self.mode,
            gpu=self.gpu,
            app=self.app,
            capacity=self.capacity,
            price_info=self.price_info,
        ).checked()

    def _whole_health_url(self) -> str:
        if not self.health_url.startswith("/") or self.health_url.startswith("//"):
            return self.health_url
        if split_http_url(self.runner_url) is None:
            raise RunnerError(400, "invalid runner_url", ("runner_url",))
        return self.runner_url.rstrip("/") + self.health_url


@dataclass(frozen=True)
class StaticRunners:
    """The document ``runners.json``."""

    runners: tuple[StaticEntry, ...] = ()


def read_static_runners(body: bytes) -> list[StaticEntry]:
    """Return the entries of a ``runners.json``, checked; one bad entry refuses all.

    Raises GoJsonError, or RunnerError 400 that says which entry.
    """
    return check_entries(decode(body, StaticRunners, only=True).runners)


def check_entries(entries: tuple[StaticEntry, ...]) -> list[StaticEntry]:
    """Return entries with their defaults filled in; raises RunnerError 400 that says which entry breaks which rule."""
    complete = []
    for index, entry in enumerate(entries):
        with _said_of(index):
            complete.append(entry.with_defaults())
    labels: set[str] = set()
    for index, entry in enumerate(complete):
        with _said_of(index):
            entry.record()
            if entry.label in labels:
                raise RunnerError(400, f'duplicate label "{entry.label}"', ("label",))
            if entry.routing == BY_LABEL and "/" in entry.label:
                raise RunnerError(400, f'label cannot contain / when routing is "{BY_LABEL}"', ("label",))
            labels.add(entry.label)
    return complete


@contextmanager
def _said_of(index: int) -> Iterator[None]:
    try:
        yield
    except RunnerError as error:
        message = f"runners[{index}]: {error}"
        raise RunnerError(error.status, message, ("runners", index, *error.path)) from None
