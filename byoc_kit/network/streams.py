"""One BYOC stream on the orchestrator: its trickle channels, its keep-alive and its events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from byoc_kit.network.models import ModelEntry
from byoc_kit.system.concurrency import background
from byoc_kit.trickle.channels import Channel, ChannelClosedError, Channels, SegmentMissingError
from byoc_kit.trickle.protocol import DATA_TYPE, VIDEO_TYPE

KEEPALIVE_INTERVAL_S = 10.0
MAX_EVENT_GAP_S = 30.0
"""How long a gateway waits for an event before it stops the stream."""

# Suffix and MIME type of each channel, as go-livepeer's byoc/stream_orchestrator.go makes them.
_CHANNELS = {
    "input": ("", VIDEO_TYPE),
    "output": ("-out", VIDEO_TYPE),
    "control": ("-control", "application/json"),
    "events": ("-events", "application/json"),
    "data": ("-data", DATA_TYPE),
}


@dataclass(frozen=True)
class StreamUrls:
    """The URLs of a stream's channels; the gateway writes to ``input`` and reads from ``output``."""

    input: str
    output: str
    control: str
    events: str
    data: str

    def with_host(self, host: str) -> "StreamUrls":
        """Return the same URLs with another host name or address; the ports stay."""
        return StreamUrls(**{role: _replace_host(url, host) for role, url in vars(self).items()})


@dataclass(frozen=True)
class StreamStatus:
    """A stream's status; ``last_status`` is its latest event of type "status"."""

    stream_id: str
    model_id: str
    events: int
    last_status: dict[str, Any] | None
    seconds_since_last_event: float
    watchdog: str


class Stream:
    """A stream and its channels, which exist while ``open`` runs."""

    def __init__(
        self,
        stream_id: str,
        model: ModelEntry,
        channels: Channels,
        *,
        keepalive_interval_s: float = KEEPALIVE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = stream_id
        self.model = model
        self._channels = channels
        self._keepalive_interval_s = keepalive_interval_s
        self._clock = clock
        self._events = 0
        self._last_status: dict[str, Any] | None = None
        self._last_event_at = clock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Create the channels, keep the control channel alive and read the events; delete the channels at the end."""
        opened = {role: self._channels.create(self.id + suffix, mime) for role, (suffix, mime) in _CHANNELS.items()}
        try:
            async with (
                background(self._keep_alive(opened["control"]), name=f"keep-alive {self.id}"),
                background(self._follow_events(opened["events"]), name=f"events {self.id}"),
            ):
                yield
        finally:
            for channel in opened.values():
                self._channels.delete(channel.name)

    def urls(self, trickle_url: str) -> StreamUrls:
        """Return the channels' URLs under the URL of the trickle server."""
        return StreamUrls(**{role: f"{trickle_url}{self.id}{suffix}" for role, (suffix, _) in _CHANNELS.items()})

    def status(self) -> StreamStatus:
        """Return the current status. Until the first event, the watchdog counts from the start."""
        quiet_s = self._clock() - self._last_event_at
        is_overdue = quiet_s > MAX_EVENT_GAP_S
        note = f"no event for {quiet_s:.0f} s: a gateway stops the stream after {MAX_EVENT_GAP_S:.0f} s"
        return StreamStatus(
            self.id, self.model.model_id, self._events, self._last_status, quiet_s, note if is_overdue else "ok"
        )

    async def _keep_alive(self, control: Channel) -> None:
        while True:
            await asyncio.sleep(self._keepalive_interval_s)
            if control.is_closed:
                return
            control.publish(b'{"keep":"alive"}')

    async def _follow_events(self, events: Channel) -> None:
        seq = 0
        while True:
            try:
                body = await events.read(seq)
            except SegmentMissingError as missing:
                seq = missing.latest
            except ChannelClosedError:
                return
            else:
                seq += 1
                self._note_event(body)

    def _note_event(self, body: bytes) -> None:
        """Count an event: a JSON object, or one within ``event``, as byoc/trickle.go reads it. Ignore other bodies."""
        try:
            event = json.loads(body)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        if isinstance(event.get("event"), dict):
            event = event["event"]
        self._events += 1
        self._last_event_at = self._clock()
        if event.get("type") == "status":
            self._last_status = event


def _replace_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}"))
