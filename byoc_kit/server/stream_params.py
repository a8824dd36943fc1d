"""What the clients of one stream have set: the model's parameters, the size and the frame rate."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, TypeVar

from byoc_kit.core.params import Params, ParamsError, as_json, carried_over, in_brief
from byoc_kit.media.frame_size import Size
from byoc_kit.system.concurrency import on_thread

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

        Returns the new rate and the other changes. Raises ``ParamsError`` naming the field.
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
    """Chooses evenly, by the frames' own times, those that a ``FrameRate`` leaves of one stream."""

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


logger = logging.getLogger(__name__)

T = TypeVar("T")


class Chosen(NamedTuple):
    """A set of values, checked together."""

    params: Params
    size: Size
    rate: FrameRate

    @classmethod
    def of(cls, kind: type[Params], changes: dict[str, Any]) -> Chosen:
        """Return the defaults with checked changes. Raises ``ParamsError`` naming the field."""
        return cls(kind(), Size(), FrameRate()).changed(changes)

    def changed(self, changes: dict[str, Any]) -> Chosen:
        """Return a checked copy. Raises ``ParamsError`` naming the field."""
        kind = type(self.params)
        size, changes = self.size.updated(changes, kind)
        rate, changes = self.rate.updated(changes, kind)
        return Chosen(self.params.updated(changes), size, rate)


async def validated(validate: Callable[[], T], timeout_s: float) -> T:
    """Run validators of the notebook's own on a thread: whatever they do, ``/health`` answers.

    Raises what they raise, and ``ParamsError`` where they have not returned in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await on_thread(validate, name="validate")
    except TimeoutError:
        reason = f"a validator has not returned for {timeout_s:.0f} s"
        raise ParamsError("params", reason) from None  # noqa: EM101  # its name, no message


class StreamParams:
    """Holds what is ``chosen`` now. Raises ``ParamsError`` for what does not fit at the start."""

    def __init__(self, kind: type[Params], changes: dict[str, Any]) -> None:
        self.chosen = Chosen.of(kind, changes)
        self._turn = asyncio.Lock()
        self._shown: tuple[Params, dict[str, Any]] | None = None

    async def update(self, changes: dict[str, Any], *, timeout_s: float, take: Callable[[Chosen], None]) -> None:
        """Check a change, after those before, and hand what is chosen then to ``take``; else the last values stay.

        Raises ``ParamsError`` naming the field.
        """
        async with self._turn:
            while True:
                seen = self.chosen
                changed = await validated(partial(seen.changed, changes), timeout_s)
                if self.chosen is seen:  # no swap has come between
                    break
            self.chosen = changed
            take(changed)

    def carried_over(self, kind: type[Params], *, stream_id: str) -> Params:
        """Return the parameters as another class takes them; what does not fit is its default, and logged."""
        params, refused = carried_over(self.chosen.params, kind)
        for error in refused:
            logger.warning("stream %s: a parameter does not fit any more (%s); its default is used", stream_id, error)
        return params

    def shown(self) -> dict[str, Any]:
        """Return all as a status shows it; as that is asked for often, parameters are written out once a change."""
        params, size, rate = self.chosen
        if self._shown is None or self._shown[0] is not params:
            self._shown = params, in_brief(as_json(params))
        return self._shown[1] | size.as_dict() | rate.as_dict()
