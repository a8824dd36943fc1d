"""What has become of the last frames, and what was published beside them."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from byoc_kit.core.frames import floating_tensor, said_of_scale
from byoc_kit.core.stage import Processed
from byoc_kit.jupyter.preview.stats import Meter

NO_PICTURE = "process_frame returned None: no picture goes out; a `return` is missing?"
_RECENT_S = 2.0
_MOST = 500


class Outcome(StrEnum):
    """What became of one frame."""

    MADE = "made"
    NAN = "NaN"
    OF_255 = "of 255"
    WITHHELD = "withheld"
    FAILED = "failed"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the last frames: in a few words, and what to do about it where an exception does not say."""

    text: str
    advice: str = ""


class Outcomes:
    """Remembers what became of the frames of the last two seconds, at least of the last one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, Outcome]] = deque(maxlen=_MOST)

    def add(self, outcome: Outcome) -> None:
        """Take note of a frame."""
        now_s = self._clock()
        self._recent.append((now_s, outcome))
        while now_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()

    def clear(self) -> None:
        """Begin anew: the function is another."""
        self._recent.clear()

    def trouble(self) -> Trouble | None:
        """Say what is wrong with them; ``None`` where all have become pictures, or there are none."""
        counts = Counter(outcome for _, outcome in tuple(self._recent))
        total = counts.total()
        if failed := counts[Outcome.FAILED]:
            return Trouble("every frame fails" if failed == total else f"{failed} of {total} frames fail")
        if counts[Outcome.NAN]:
            return Trouble("process_frame returns NaN", "process_frame returns NaN, which goes out as black.")
        if counts[Outcome.OF_255]:
            return Trouble(
                "the tensor is not 0 to 1", "The tensor goes up to 255, and frames are 0 to 1: divide it by 255."
            )
        withheld = counts[Outcome.WITHHELD]
        if not withheld:
            return None
        if withheld < total:
            return Trouble(f"{withheld} of {total} frames are withheld")
        return Trouble("no picture goes out", NO_PICTURE)


def outcome_of(result: Processed, *, largest: float) -> Outcome:
    """Return what became of a frame; ``largest`` is as ``largest_of`` returned."""
    if result.failure is not None:
        return Outcome.FAILED
    if result.output is None:
        return Outcome.WITHHELD
    if math.isnan(largest):
        return Outcome.NAN
    return Outcome.OF_255 if said_of_scale(largest) else Outcome.MADE


def largest_of(returned: object) -> float:
    """Return the largest value of a tensor that ``process_frame`` returned: 0.15 ms for 720p; 0 without a tensor.

    It is NaN where there is one among them, which the pixels hide.
    """
    tensor = floating_tensor(returned)
    return 0.0 if tensor is None else float(tensor.max())


_LONGEST = 300


class Published:
    """Takes lines of the data channel, as ``publish`` makes them."""

    def __init__(self) -> None:
        self._lines = Meter()
        self._last = b""

    def take(self, line: bytes) -> None:
        """Take a line; on whatever thread publishes it."""
        self._last = line
        self._lines.tick()

    def clear(self) -> None:
        """Forget the last line: the function is another."""
        self._last = b""
        self._lines.restart()

    def status(self) -> dict[str, str] | None:
        """Return the last line, cut where it is long, and how many came a second; ``None`` before the first."""
        if not self._last:
            return None
        line = self._last.decode().strip()
        is_long = len(line) > _LONGEST
        return {"line": line[:_LONGEST] + "…" if is_long else line, "rate": f"{self._lines.rate():.1f} lines/s"}
