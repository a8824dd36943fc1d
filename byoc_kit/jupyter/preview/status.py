"""The status of a live preview, as the page shows it: its numbers, its errors, the state of its controls."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from byoc_kit.core.params import Params, as_json
from byoc_kit.jupyter.preview.feed import as_given, noted
from byoc_kit.jupyter.preview.flow_control import AckWindow
from byoc_kit.jupyter.preview.front_end import Message
from byoc_kit.jupyter.preview.function_version import ComparedFunction
from byoc_kit.jupyter.preview.player import Extent, Player
from byoc_kit.jupyter.preview.result_saver import ResultSaver
from byoc_kit.jupyter.preview.sender import Sender
from byoc_kit.jupyter.preview.stats import PreviewStats, failure_sentence, machine, numbers
from byoc_kit.sources.suggestions import suggestions

# The badge shows the present state, not the state before a slider moved.
_JUDGED = 100
_FIRST = "Waiting for the first picture…"
# After this long, and then again after each such time, it says how long a frame has taken.
_STALLED_S = 5
_LATE = "The browser answers late: showing a few pictures a second until it catches up."
_NO_CASE = {"trace": "", "is_case": False}
# Where `byoc-kit serve` listens.
_PARAMS_URL = "http://localhost:8000/stream/params"


class StatusReport:
    """Asks the parts of a preview; ``compared`` is the function compared with the shown one, if any.

    ``notice`` says what was done or refused last. ``refused_versions`` has an error for each function, the shown or the
    compared one, whose newest version is refused now, and ``params_errors`` one for each such field.
    """

    def __init__(
        self,
        player: Player,
        sender: Sender,
        ack_window: AckWindow,
        result_saver: ResultSaver,
        *,
        compared: ComparedFunction | None,
    ) -> None:
        self.notice = ""
        self.is_warning = False
        self.refused_versions: dict[str, str] = {}
        self.params_errors: dict[str, str] = {}
        self._player = player
        self._sender = sender
        self._ack_window = ack_window
        self._result_saver = result_saver
        self._compared = compared
        self._sources = suggestions(Path())

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        player, sender, stage = self._player, self._sender, self._player.counts()
        trouble = player.outcomes.trouble()
        timings = {
            "decode": player.feed.decode_times.percentiles_ms(),
            "wait": stage.wait_ms,
            "process": player.stage.process_times.percentiles_ms(of_last=_JUDGED),
            "encode": sender.encode_times.percentiles_ms(),
            "wire": sender.wire_times.percentiles_ms(),
            "draw": sender.draw_times.percentiles_ms(),
            "latency": sender.latencies.percentiles_ms(),
        }
        in_fps = player.arrivals.rate()
        return PreviewStats(
            frames_in=stage.frames_in,
            frames_out=stage.frames_out,
            shown=sender.shown.count,
            not_shown=sender.not_shown,
            in_fps=in_fps,
            processed_fps=player.results.rate(),
            shown_fps=sender.shown.rate(),
            process_ms=timings["process"],
            drops=stage.drops,
            failures=stage.failures,
            error=self._params_error() or (error["text"] if (error := self._error()) else ""),
            timings_ms={place: timing for place, timing in timings.items() if timing},
            target_fps=player.feed.fps or (in_fps if player.arrivals.is_settled else None) or None,
            trouble=trouble.text if trouble else "",
        )

    def status(self) -> Message:
        """Return what the front end shows, as values for JSON."""
        stats, feed = self.stats(), self._player.feed
        shown = self._player.version.name
        return {
            "numbers": [figure.message() for figure in (*numbers(stats), *machine())],
            "budget": _budget(stats),
            "error": self._error(),
            **self._notice(),
            "captions": [self._compared.name, shown] if self._compared else self._captions(),
            "sizes": self._sizes(),
            "version": self._which_version(),
            "published": self._player.published.status(),
            "printed": self._player.printed.status(),
            "curl": curl(self._player.params),
            "state": {
                "is_playing": self._player.is_playing,
                "source": as_given(feed),
                "has_ended": feed.has_ended,
                "sources": self._sources,
                "is_looping": getattr(feed, "is_looping", False),
                "speed": getattr(feed, "speed", 1.0),
                "can_revert": self._player.can_revert,
                "is_reverted": self._player.is_reverted,
                "is_recording": self._result_saver.is_recording,
            },
        }

    def _captions(self) -> list[str]:
        before, after = self._player.sizes or (None, None)
        return [f"Input {_said(before)}".strip(), f"Output {_said(after)}".strip()]

    def _sizes(self) -> str:
        """Name the sizes of output and input if they differ."""
        before, after = self._player.sizes or (None, None)
        return f"{_said(after)} of {_said(before)}" if after and after != before else ""

    def _error(self) -> Message | None:
        """Return the error text on the picture, and the position of the failed frame, which no picture shows."""
        player = self._player
        if player.stage.error is not None:
            return {"text": f"the preview ended: {player.stage.error}; run the cell again", **_NO_CASE}
        if player.feed.error:
            return {"text": player.feed.error, **_NO_CASE}
        failed = player.recent_error()
        if failed is None:
            return None
        said = failure_sentence(failed.failure)
        if player.is_paused_by_error:
            said += "; paused, because each frame fails in the same way: fix the cell, or press Play"
        count, position = failed.failure.count, noted(failed.frame, "position")
        return {
            "text": said,
            "times": f"{count} times so far" if count > 1 else "",
            "trace": failed.failure.trace,
            "is_case": True,
            "position": vars(position) if position else None,
        }

    def _params_error(self) -> str:
        return "; ".join(list(self.params_errors.values()))

    def _notice(self) -> Message:
        """Return the text below the pictures, and whether something is wrong.

        All that is wrong is said, a line each: what was refused, the newest version before all else, and then what is
        wrong with what plays. Only if nothing is, it says what was done last, or what the preview waits for.
        """
        wrong = [text for text in (*self._refused(), *self._wrong_with_what_plays()) if text]
        if wrong:
            return {"notice": "\n".join(wrong), "is_warning": True}
        if self.notice:
            return {"notice": self.notice, "is_warning": False}
        is_late = self._ack_window.is_late and not self._ended()
        return {"notice": self._ended() or self._what_it_waits_for(), "is_warning": is_late}

    def _refused(self) -> list[str]:
        return [*self.refused_versions.values(), self._params_error(), self.notice if self.is_warning else ""]

    def _wrong_with_what_plays(self) -> list[str]:
        trouble = self._player.outcomes.trouble()
        compared = self._compared.error if self._compared else ""
        return [compared, self._stalled(), trouble.advice if trouble else ""]

    def _which_version(self) -> str:
        """Name the version that plays if it is not the notebook's present one."""
        if not self._player.is_reverted:
            return ""
        plays, newest = self._player.version, self._player.newest
        return f"plays {plays.cell or 'the version before'}; the cell has {newest.cell or 'a newer one'}"

    def _ended(self) -> str:
        feed = self._player.feed
        return f"{feed.name} has ended. Play opens it again." if feed.has_ended else ""

    def _stalled(self) -> str:
        taking_s = int(self._player.stage.frame_taking_s) // _STALLED_S * _STALLED_S
        return f"process_frame has been at one frame for {taking_s} s." if taking_s else ""

    def _what_it_waits_for(self) -> str:
        if self._ack_window.is_late:
            return _LATE
        return _FIRST if self._sender.last is None and self._error() is None else ""


def curl(params: Params) -> str:
    """Return the command that sets the parameters of a stream that ``byoc-kit serve`` runs."""
    data = json.dumps(as_json(params))
    return f"curl -X POST {_PARAMS_URL} -H 'Content-Type: application/json' -d {shlex.quote(data)}"


def _said(size: Extent | None) -> str:
    return f"{size[0]}x{size[1]}" if size else ""


def _budget(stats: PreviewStats) -> Message | None:
    """Return the badge: its text, and how much of a frame's time is used."""
    budget = stats.budget
    share = budget.p95_ms / budget.frame_ms if budget else 1.0
    detail = ""
    if budget is not None:
        detail = f"process_frame takes {budget.p95_ms:.1f} ms (p95) of the {budget.frame_ms:.1f} ms that a frame has"
    if stats.trouble:
        return {"text": stats.trouble, "is_held": False, "share": 1.0, "detail": detail}
    if budget is None:
        return None
    return {"text": str(budget), "is_held": budget.is_held, "share": share, "detail": detail}
