"""What the clients of one stream have set: the model's parameters, the size and the frame rate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from byoc_kit.background import on_thread
from byoc_kit.params import Params, ParamsError, as_json, carried_over, in_brief
from byoc_kit.server.frame_rate import FrameRate
from byoc_kit.server.size import Size

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Chosen(NamedTuple):
    """A set of values, checked together."""

    params: Params
    size: Size
    rate: FrameRate

    def changed(self, changes: dict[str, Any]) -> Chosen:
        """Return a checked copy. Raises :class:`~byoc_kit.params.ParamsError` naming the field."""
        kind = type(self.params)
        size, changes = self.size.updated(changes, kind)
        rate, changes = self.rate.updated(changes, kind)
        return Chosen(self.params.updated(changes), size, rate)


async def validated(validate: Callable[[], T], timeout_s: float) -> T:
    """Run validators of the notebook's own on a thread: whatever they do, ``/health`` answers.

    Raises what they raise, and :class:`~byoc_kit.params.ParamsError` where they have not returned in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await on_thread(validate, name="validate")
    except TimeoutError:
        reason = f"a validator has not returned for {timeout_s:.0f} s"
        raise ParamsError("params", reason) from None


class StreamParams:
    """Holds what is ``chosen`` now. Raises :class:`~byoc_kit.params.ParamsError` for what does not fit at the start."""

    def __init__(self, kind: type[Params], changes: dict[str, Any]) -> None:
        self.chosen = Chosen(kind(), Size(), FrameRate()).changed(changes)
        self._turn = asyncio.Lock()
        self._shown: tuple[Params, dict[str, Any]] | None = None

    async def update(self, changes: dict[str, Any], *, timeout_s: float, take: Callable[[Chosen], None]) -> None:
        """Check a change, after those before, and hand what is chosen then to ``take``; else the last values stay.

        Raises :class:`~byoc_kit.params.ParamsError` naming the field.
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
