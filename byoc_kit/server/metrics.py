"""``/metrics`` for Prometheus, made from the counts of ``/stream/status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from byoc_kit.registration.report import Report
from byoc_kit.server.sessions import Sessions

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics(Collector):
    """Reads the sessions when Prometheus asks; it has no counts of its own."""

    def __init__(self, sessions: Sessions, registration: Report | None = None) -> None:
        self._sessions = sessions
        self._registration = registration
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Return nothing: the metrics depend on the streams."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the current value of each metric."""
        statuses = self._sessions.status()
        totals = self._sessions.totals.with_running(statuses)
        yield GaugeMetricFamily("byoc_kit_healthy", "0 if a stream shows a fault", int(not self._sessions.problem()))
        yield GaugeMetricFamily("byoc_kit_streams", "Streams that run", len(statuses))
        yield GaugeMetricFamily("byoc_kit_capacity", "Streams that may run at once", self._sessions.capacity)
        yield CounterMetricFamily("byoc_kit_streams_started", "Streams started", totals.started)
        frames, segments = (_by_state(totals.counts, prefix) for prefix in ("frames_", "segments_"))
        yield _counter("byoc_kit_frames", "Frames, by how far they came", ["state"], frames)
        yield _counter("byoc_kit_segments", "Segments published and lost", ["state"], segments)
        yield _counter("byoc_kit_drops", "Frames and sound dropped", ["place", "reason"], dict(totals.drops))
        yield _counter("byoc_kit_failures", "Exceptions of process_frame", ["error"], _keyed(totals.failures))
        pictures = _keyed(totals.pictures)
        yield _counter("byoc_kit_pictures", "Pictures of POST /process, by what came of them", ["outcome"], pictures)
        yield _counter("byoc_kit_faults", "Faults of input, output and callbacks", ["kind"], _keyed(totals.faults))
        yield from _gauges(statuses)
        if self._registration is not None:
            yield from _of_registration(self._registration)


def _of_registration(report: Report) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "byoc_kit_registered", "1 if the orchestrator has this container", int(report.is_registered)
    )
    yield CounterMetricFamily("byoc_kit_registrations", "How often it became registered", report.registrations)
    yield CounterMetricFamily("byoc_kit_heartbeats", "Calls made to be registered, or to stay so", report.heartbeats)
    yield _counter("byoc_kit_heartbeats_failed", "Those that failed", ["reason"], _keyed(dict(report.failures)))


def _gauges(statuses: list[dict[str, Any]]) -> Iterator[Metric]:
    fps = GaugeMetricFamily("byoc_kit_fps", "Frames a second that came out of late", labels=["stream"])
    latency = GaugeMetricFamily(
        "byoc_kit_latency_seconds", "From a frame's last byte in to its first out", labels=["stream", "quantile"]
    )
    timing = GaugeMetricFamily(
        "byoc_kit_timing_seconds", "How long a frame is at each place", labels=["stream", "place", "quantile"]
    )
    for status in statuses:
        stream = status["stream_id"]
        fps.add_metric([stream], status.get("fps", 0.0))
        for quantile, ms in status.get("latency_ms", {}).items():
            latency.add_metric([stream, _quantile(quantile)], ms / 1000)
        for place, percentiles in status.get("timings_ms", {}).items():
            for quantile, ms in percentiles.items():
                timing.add_metric([stream, place, _quantile(quantile)], ms / 1000)
    yield from (fps, latency, timing)


def _counter(name: str, text: str, labels: list[str], values: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _by_state(counts: dict[str, int], prefix: str) -> dict[tuple[str, ...], int]:
    return {(name.removeprefix(prefix),): count for name, count in counts.items() if name.startswith(prefix)}


def _keyed(counts: dict[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _quantile(name: str) -> str:
    return f"0.{name.removeprefix('p')}"
