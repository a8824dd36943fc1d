"""What the figures were measured on."""

from __future__ import annotations

import math
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av

import byoc_kit
from benchmarks import ffmpeg


def facts() -> dict[str, Any]:
    """Return processor, memory, system, versions, and the load average of the last minute."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "byoc-kit": byoc_kit.__version__,
        "pytrickle": version("pytrickle"),
        "av": av.__version__,
        "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
        "torch": version("torch"),
        "ffmpeg": ffmpeg.describe(),
        "x264": " ".join(f"{name}={value}" for name, value in ffmpeg.X264.items()),
        "threads": ffmpeg.THREADS,
        "load": load(),
    }


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def free_memory_gb() -> float:
    """Return the memory that a process may still take."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e9 if found else math.inf


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
