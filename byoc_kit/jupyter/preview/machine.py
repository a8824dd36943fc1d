"""What the preview runs on: the device, and the memory that is taken."""

from __future__ import annotations

from pathlib import Path

import torch

from byoc_kit.jupyter.preview.stats import Figure


def machine() -> list[Figure]:
    """Return the memory in use and the device."""
    memory = Figure(f"{_resident_mb():.0f} MB", "memory", "Resident memory of the kernel", is_extra=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    found = [memory, Figure(device, "device", "Where torch can run here", is_extra=True)]
    if torch.cuda.is_available():
        taken = f"{torch.cuda.memory_reserved() / 1e6:.0f} MB"
        found.insert(1, Figure(taken, "GPU memory", "What torch has reserved on the GPU", is_extra=True))
    return found


def _resident_mb() -> float:
    """Return the resident memory in MB, from ``/proc/self/status``; 0 where that is not to be had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:")), 0.0)
