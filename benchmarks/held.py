"""What a process holds after one time of something that is done again and again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """Resident memory, and threads as the kernel counts them."""

    rss_mb: float
    threads: int
