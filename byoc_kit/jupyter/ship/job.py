"""The state of one step of the panel: its command, its time, the end of its log, and how it ended."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byoc_kit.jupyter.ship.commands import Action
from byoc_kit.system.processes import Tail

if TYPE_CHECKING:
    from byoc_kit.network.health_watch import HealthWatch


@dataclass
class Job:
    """A command that runs or has run. ``ending`` says how it ended and is empty before; ``health`` is of a server."""

    action: Action
    arguments: list[str]
    tail: Tail = field(default_factory=Tail)
    health: HealthWatch | None = None
    task: asyncio.Task[None] | None = None
    is_cancelled: bool = False
    is_failure: bool = False
    ending: str = ""
    started_s: float = field(default_factory=time.monotonic)
    ended_s: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ending

    @property
    def took_s(self) -> float:
        """How long it has run, or ran."""
        return (self.ended_s or time.monotonic()) - self.started_s

    def end(self, ending: str, *, is_failure: bool = False) -> None:
        """Set how it ended."""
        self.ended_s = time.monotonic()
        self.ending, self.is_failure = ending, is_failure

    def end_with(self, code: int) -> None:
        """Set how it ended from its exit code, with the command's last words."""
        if code == 0:
            self.end("done")
            return
        how = f"ended by {_signal_name(-code)}" if code < 0 else f"exit code {code}"
        self.end(f"failed ({how}): {self.tail.last}".removesuffix(": "), is_failure=True)

    def cancel(self) -> None:
        """Interrupt it, or kill it the second time. It ends a little later."""
        if self.is_running and self.task is not None:
            self.is_cancelled = True
            self.task.cancel()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
