"""What the module makes of the clip, beside what the notebook makes of it: before any codec, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from byoc_kit.verify.replay import Outcome, Replay, Replayed


@dataclass(frozen=True)
class Difference:
    """The largest difference of a channel, of 255, in the frames that both have kept; ``text`` names the worst frame.

    ``is_alike`` says that each frame had the same outcome and size in both.
    """

    max_abs_diff: int
    is_alike: bool = True
    text: str = ""

    def is_within(self, limit: int) -> bool:
        """Whether no frame is further apart; 0 means equal, in those frames too that were not kept."""
        return self.is_alike and self.max_abs_diff <= limit and (limit > 0 or not self.text)


def compare_replays(notebook: Replay, module: Replay) -> Difference:
    """Compare frame by frame: all of them by their hash, those that were kept by their pixels."""
    pairs = list(zip(notebook.frames, module.frames, strict=True))
    for ours, theirs in pairs:
        if (ours.outcome, ours.size) != (theirs.outcome, theirs.size):
            text = f"frame {ours.number} {_said(theirs)}, in the notebook it {_said(ours)}"
            return Difference(255, is_alike=False, text=text)
    changed = [ours.number for ours, theirs in pairs if ours.sha256 != theirs.sha256]
    if not changed:
        return Difference(0)
    apart = {number: _apart(notebook, module, number) for number in changed}
    worst = max(changed, key=lambda number: apart[number])
    text = f"frame {worst}: up to {apart[worst]} of 255" if apart[worst] else f"frame {worst} differs"
    if len(changed) > 1:
        text += f"; {len(changed)} of {len(pairs)} frames differ"
    if len(changed) < len(pairs) and changed == [ours.number for ours, _ in pairs][: len(changed)]:
        text += ", the first ones: does on_stream_start reset what cells before have left?"
    return Difference(apart[worst], text=text)


def _apart(notebook: Replay, module: Replay, number: int) -> int:
    ours, theirs = notebook.pixels(number), module.pixels(number)
    if ours is None or theirs is None:
        return 0
    return int(np.abs(ours.astype(np.int16) - theirs).max())


def _said(frame: Replayed) -> str:
    match frame.outcome:
        case Outcome.MADE:
            return f"is {frame.size}"
        case Outcome.DROPPED:
            return "is dropped"
        case Outcome.RAISED:
            return f"raises {frame.error}"
