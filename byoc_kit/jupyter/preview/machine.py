"""What the preview runs on: the device, and the memory that is taken."""

from __future__ import annotations

from pathlib import Path

import torch


def machine() -> list[tuple[str, str]]:
    """Return the device and the memory in use, each with what it is."""
    memory = (f"{_resident_mb():.0f} MB", "memory")
    if not torch.cuda.is_available():
        return [memory, ("cpu", "device")]
    taken_mb = torch.cuda.memory_reserved() / 1e6
    return [memory, (f"{taken_mb:.0f} MB", "GPU memory"), (torch.cuda.get_device_name(), "device")]


def _resident_mb() -> float:
    """Return the resident memory in MB, from ``/proc/self/status``; 0 where that is not to be had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:")), 0.0)
