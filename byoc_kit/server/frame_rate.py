"""The frames a second that a stream's ``max_framerate`` allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from byoc_kit.params import Params, ParamsError

NAME = "max_framerate"
_MOST = 240
# Of the time between two frames: times rounded to milliseconds drop none of a video that has just the rate.
_EARLY = Fraction(1, 10)


@dataclass(frozen=True)
class FrameRate:
    """The most frames a second that ``process_frame`` sees; ``None`` for all that come."""

    most: int | None = None

    def updated(self, changes: Mapping[str, Any], params_type: type[Params]) -> tuple[FrameRate, dict[str, Any]]:
        """Take ``max_framerate`` out of changed parameters, unless the model has its own of that name.

        Returns the new rate and the other changes. Raises :class:`~byoc_kit.params.ParamsError` naming the field.
        """
        rest = dict(changes)
        if NAME not in rest or NAME in params_type.model_fields:
            return self, rest
        most = rest.pop(NAME)
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= _MOST):
            reason = f"must be a whole number of 1 to {_MOST} frames a second, or null for all that come"
            raise ParamsError(NAME, reason)
        return FrameRate(most), rest

    def as_dict(self) -> dict[str, int]:
        """Return what is set."""
        return {} if self.most is None else {NAME: self.most}


class FrameLimiter:
    """Chooses evenly, by the frames' own times, those that a :class:`FrameRate` leaves of one stream."""

    def __init__(self) -> None:
        self._rate = FrameRate()
        self._begin_s: Fraction | None = None
        self._last = 0

    def keeps(self, time_s: Fraction, rate: FrameRate) -> bool:
        """Whether the frame of that time goes on; the first one of each ``1 / rate`` seconds does."""
        if rate.most is None:
            self._begin_s = None
            return True
        number = 0 if self._begin_s is None else math.floor((time_s - self._begin_s) * rate.most + _EARLY)
        if self._begin_s is None or rate != self._rate or number < self._last:  # the clock has jumped back
            self._begin_s, self._rate, self._last = time_s, rate, 0
            return True
        is_first = number > self._last
        self._last = number
        return is_first
