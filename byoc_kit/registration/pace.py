"""How often heartbeats are sent: the durations that an orchestrator says, as Go writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from byoc_kit.errors import cut

INTERVAL_S = 5.0
TTL_S = 20.0
"""What go-livepeer says by default: heartbeats each 5 s, and a runner is forgotten 20 s after its last one."""

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"(?:{_PART})+")


@dataclass(frozen=True)
class Limits:
    """What durations are believed: an interval of no time would flood the orchestrator, one of days lose the runner."""

    least_s: float = 1.0
    longest_ttl_s: float = 3600.0


@dataclass(frozen=True)
class Pace:
    """Seconds from heartbeat to heartbeat, and after the last one until the orchestrator forgets the runner.

    ``is_as_said`` where the orchestrator's own durations are these.
    """

    interval_s: float = INTERVAL_S
    ttl_s: float = TTL_S
    is_as_said: bool = True

    @classmethod
    def of(cls, interval: Any, ttl: Any, limits: Limits) -> Self:
        """Read an answer's durations. One that is none is the default, and one beyond the limits is brought to them.

        A heartbeat is always sent before three quarters of the time are over after which the runner is forgotten.
        """
        said = _read(interval), _read(ttl)
        ttl_s = _within(2 * limits.least_s, TTL_S if said[1] is None else said[1], limits.longest_ttl_s)
        interval_s = _within(limits.least_s, INTERVAL_S if said[0] is None else said[0], 0.75 * ttl_s)
        return cls(interval_s, ttl_s, is_as_said=(interval_s, ttl_s) == said)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration as Go prints it: ``5s``, ``1m0s``, ``500ms``. Raises ``ValueError``."""
    if not _DURATION.fullmatch(text):
        msg = f"{cut(text)!r} is no duration"
        raise ValueError(msg)
    return sum(float(number) * _UNITS_S[unit] for number, unit in re.findall(_PART, text))


def _read(said: Any) -> float | None:
    try:
        return parse_duration(said) if isinstance(said, str) else None
    except ValueError:
        return None


def _within(least: float, value: float, most: float) -> float:
    return min(max(value, least), most)
