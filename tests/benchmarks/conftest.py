import pytest

from benchmarks.figures import Figures
from benchmarks.record import Record, Run


@pytest.fixture
def record():
    """Return a function that makes a record of a run a contender: ``record(ffmpeg=Figures(cpu_s=1))``."""

    def make(*, load=0.1, is_ended=True, **figures):
        machine = {
            "cpus": 2,
            "cpu": "a CPU",
            "os": "an OS",
            "python": "3.11",
            "av": "14",
            "pytrickle": "0.1.6",
            "ffmpeg": "ffmpeg 5",
            "x264": "crf=23",
            "threads": "auto",
            "load": load,
        }
        settings = {"clip": "a.mp4", "size": "1280x720", "rate": 30, "seconds": 20.0, "runs": 1}
        runs = [
            Run(key.replace("_", "-"), 1, load, is_ended, figures=figure, latencies=[(0.0, 5.0)], memory=[(0.0, 300.0)])
            for key, figure in figures.items()
        ]
        return Record(settings, machine, runs)

    return make


@pytest.fixture
def whole():
    """All figures of a run in which nothing went wrong."""
    return Figures(
        cpu_s=8.0,
        latency_p50_ms=10.0,
        latency_p95_ms=14.0,
        behind_ms=9.0,
        ready_rss_mb=300.0,
        peak_rss_mb=350.0,
        lost_start=0,
        lost_middle=0,
        lost_end=0,
        health_p50_ms=1.0,
        health_p99_ms=4.0,
        late_p95_ms=1.0,
    )
