"""The outcomes of the last frames, and the last line that was published."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from byoc_kit.core.frames import floating_tensor
from byoc_kit.core.pixels import said_of_scale
from byoc_kit.core.processor import said_of_no_picture
from byoc_kit.core.stage import Processed
from byoc_kit.jupyter.preview.stats import Meter

_RECENT_S = 2.0
_MOST = 500
_LONGEST = 300


class Outcome(StrEnum):
    """The outcome of one frame."""

    MADE = "made"
    NAN = "NaN"
    OF_255 = "of 255"
    WITHHELD = "withheld"
    FAILED = "failed"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the last frames, in a few words, and what to do if no exception says that."""

    text: str
    advice: str = ""


class Outcomes:
    """Remembers the outcomes of the last two seconds, or at least of the last frame."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, Outcome]] = deque(maxlen=_MOST)

    def add(self, outcome: Outcome) -> None:
        """Add a frame's outcome."""
        now_s = self._clock()
        self._recent.append((now_s, outcome))
        while now_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()

    def clear(self) -> None:
        """Forget all: the function has changed."""
        self._recent.clear()

    def trouble(self) -> Trouble | None:
        """Say what is wrong with them; ``None`` if all became pictures, or there are none."""
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
        return Trouble("no picture goes out", said_of_no_picture())


def outcome_of(result: Processed, *, largest: float) -> Outcome:
    """Return a frame's outcome; ``largest`` is what ``largest_of`` returned."""
    if result.failure is not None:
        return Outcome.FAILED
    if result.output is None:
        return Outcome.WITHHELD
    if math.isnan(largest):
        return Outcome.NAN
    return Outcome.OF_255 if said_of_scale(largest) else Outcome.MADE


def largest_of(returned: object) -> float:
    """Return the largest value of a tensor that ``process_frame`` returned: 0.15 ms for 720p; 0 without a tensor.

    If a value is NaN, so is the result; the pixels hide it.
    """
    tensor = floating_tensor(returned)
    return 0.0 if tensor is None else float(tensor.max())


class Published:
    """Takes the lines that ``publish`` makes for the data channel."""

    def __init__(self) -> None:
        self._lines = Meter()
        self._last = b""

    def take(self, line: bytes) -> None:
        """Take a line, on the thread that publishes it."""
        self._last = line
        self._lines.tick()

    def clear(self) -> None:
        """Forget the last line: the function has changed."""
        self._last = b""
        self._lines.restart()

    def status(self) -> dict[str, str] | None:
        """Return the last line, cut if it is long, and how many came a second; ``None`` before the first."""
        if not self._last:
            return None
        line = self._last.decode().strip()
        is_long = len(line) > _LONGEST
        return {"line": line[:_LONGEST] + "…" if is_long else line, "rate": f"{self._lines.rate():.1f} lines/s"}
