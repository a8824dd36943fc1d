"""``runners.json``: the Live Runners that an operator declares, and the rules for them.

The rules and the texts are those of go-livepeer's ``ai/runner/live_runner.go``, without payment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from byoc_kit.bundle.json_positions import JsonError, Node, decode_text, parse, place_of
from byoc_kit.errors import ByocKitError
from byoc_kit.network import go_json
from byoc_kit.network.runner_records import NO_PRICE, Gpu, Heartbeat, PriceInfo, RunnerError
from byoc_kit.network.runner_urls import split_http_url

BY_RUNNER_ID = "runner-id"
BY_LABEL = "label"


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
    price_info: PriceInfo = NO_PRICE
    health_url: str = ""
    healthy_status_code: int = 0

    def with_defaults(self) -> Self:
        """Return it with its routing, its status code and the whole of its health URL."""
        routing = self.routing.strip() or BY_RUNNER_ID
        if routing not in (BY_RUNNER_ID, BY_LABEL):
            raise RunnerError(400, f'routing must be "{BY_RUNNER_ID}" or "{BY_LABEL}"', ("routing",))
        status = self.healthy_status_code or 200
        return replace(self, routing=routing, healthy_status_code=status, health_url=self._whole_health_url())

    def record(self) -> Heartbeat:
        """Return the record that its runner is registered with; raises RunnerError 400 for the first rule it breaks."""
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


def read_runners(path: Path) -> list[StaticEntry]:
    """Read and check ``runners.json``, as go-livepeer's ``-liveRunnerConfig`` takes it.

    Raises ByocKitError that names the file, and line and column of the error.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; give the path of a runners.json"
        raise ByocKitError(msg) from error
    text = body.decode(errors="replace")
    try:
        root = parse(decode_text(body))
        return read_static_runners(body)
    except JsonError as error:
        at, reason = error.at, f"is not JSON: {error}"
    except (go_json.GoJsonError, RunnerError) as error:
        at, reason = _start_of(root, error.path), str(error)
    line, column = place_of(text, at)
    msg = f"{path}, line {line}, column {column}: {reason}"
    raise ByocKitError(msg)


def read_static_runners(body: bytes) -> list[StaticEntry]:
    """Return the checked entries of a ``runners.json``; one bad entry refuses all of them.

    Raises GoJsonError, or RunnerError 400 that names the entry.
    """
    return check_entries(go_json.decode(body, StaticRunners, only=True).runners)


def check_entries(entries: tuple[StaticEntry, ...]) -> list[StaticEntry]:
    """Return entries with their defaults filled in; raises RunnerError 400 that names the entry and the rule."""
    complete = []
    for index, entry in enumerate(entries):
        with _naming_entry(index):
            complete.append(entry.with_defaults())
    labels: set[str] = set()
    for index, entry in enumerate(complete):
        with _naming_entry(index):
            entry.record()
            if entry.label in labels:
                raise RunnerError(400, f'duplicate label "{entry.label}"', ("label",))
            if entry.routing == BY_LABEL and "/" in entry.label:
                raise RunnerError(400, f'label cannot contain / when routing is "{BY_LABEL}"', ("label",))
            labels.add(entry.label)
    return complete


@contextmanager
def _naming_entry(index: int) -> Iterator[None]:
    try:
        yield
    except RunnerError as error:
        message = f"runners[{index}]: {error}"
        raise RunnerError(error.status, message, ("runners", index, *error.path)) from None


def _start_of(node: Node, path: go_json.Path) -> int:
    """Return where a value begins; where it is missing, the start of the value around it."""
    for key in path:
        if isinstance(key, int):
            inner = list(node.items[key : key + 1])
        else:
            inner = [member.value for member in node.members if member.key.lower() == key]
        if not inner:
            break
        node = inner[-1]
    return node.start
