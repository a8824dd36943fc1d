"""What was wrong with a stream's input or output, and did not end it."""

from __future__ import annotations

import logging
from collections import Counter

logger = logging.getLogger(__name__)


class Faults:
    """Counts faults by kind; the first of each kind is logged."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, error: Exception) -> None:
        """Count one, on any thread."""
        if not self.counts[kind]:
            logger.warning("%s: %s", kind, error)
        self.counts[kind] += 1
