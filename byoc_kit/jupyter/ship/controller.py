"""The panel's actions, without its appearance: the command of each button, what runs, and the server's health."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.errors import ByocKitError
from byoc_kit.image.build import choose_engine
from byoc_kit.jupyter.ship.overview import BundleState, Overview, Target, read_overview, read_stamp
from byoc_kit.system.concurrency import background, on_thread
from byoc_kit.system.processes import Tail, running

if TYPE_CHECKING:
    from byoc_kit.network.health_watch import HealthWatch

CLOSE_GRACE_S = 3.0
# A server first sends the rest of its streams; go-livepeer itself waits 8 s.
INTERRUPT_GRACE_S = 10.0

_CHECK_S = 1.0
_SHOW_S = 0.25

logger = logging.getLogger(__name__)


class Action(StrEnum):
    """A step that has a button."""

    CHECK = "check"
    FIX = "fix tags"
    EXPORT = "export"
    BUILD = "build"
    SERVE = "serve"
    VERIFY = "verify"


@dataclass(frozen=True)
class Choices:
    """A person's choices for the commands: an export with all wheels, another base image for a build."""

    has_wheelhouse: bool = False
    base_image: str = ""


def arguments(action: Action, target: Target, choices: Choices = Choices()) -> list[str]:
    """Return the arguments of ``byoc-kit``, for the notebook's folder."""
    name = target.notebook.name
    # A name that begins with a dash would be read as an option.
    notebook = f"./{name}" if name.startswith("-") else name
    if action is Action.FIX:
        return ["check", "--fix", notebook]
    if action is Action.CHECK:
        return ["check", notebook]
    if action is Action.EXPORT:
        return ["export", notebook, *(["--wheelhouse"] if choices.has_wheelhouse else [])]
    base_image = [f"--base-image={choices.base_image}"] if action is Action.BUILD and choices.base_image else []
    return [action.value, str(target.bundle), *base_image]


def shown(arguments: Sequence[str]) -> str:
    """Return the command as a person types it in a shell."""
    return shlex.join(["byoc-kit", *arguments])


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command for a new process, in this environment.

    With ``-P``, a file beside the notebook cannot replace a module; it cannot for the ``byoc-kit`` command either.
    """
    return [sys.executable, "-P", "-m", "byoc_kit", *arguments]


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the kernel's environment as in a terminal: matplotlib's inline backend works only in a kernel."""
    inherited = {
        name: value for name, value in own.items() if name != "MPLBACKEND" or not value.startswith("module://")
    }
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def why_not(action: Action, overview: Overview) -> str:
    """Say what must be done before a step; empty if the step can be taken now."""
    if action is Action.CHECK:
        return ""
    if action is Action.FIX:
        return "" if overview.untagged else "no cell needs a tag"
    if overview.errors:
        return f"fix the {overview.errors} errors first" if overview.errors > 1 else "fix the error first"
    if action is not Action.EXPORT and overview.bundle is BundleState.MISSING:
        return "export first"
    return ""


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


class Controller:
    """Has the values to show, and acts. It calls ``on_change`` whenever those values may have changed.

    While a command runs, it calls ``on_progress`` for values that change by themselves: its time, its log, its health.

    Everything happens on the loop that runs ``main``; call the other methods there. One command runs at a time, and the
    server may run with it.
    """

    def __init__(self, overview: Overview, *, on_change: Callable[[], None], on_progress: Callable[[], None]) -> None:
        self.overview = overview
        self.fault = ""
        self.choices = Choices()
        self.job: Job | None = None
        self.server: Job | None = None
        self._on_change, self._on_progress = on_change, on_progress
        self._stopped = asyncio.Event()

    @property
    def is_serving(self) -> bool:
        """Whether the server runs, or is about to."""
        return self.server is not None and self.server.is_running

    @property
    def is_busy(self) -> bool:
        """Whether a command runs; the server does not count."""
        return self.job is not None and self.job.is_running

    async def main(self) -> None:
        """Read the notebook again whenever it is saved, until ``stop``; then end what runs."""
        try:
            self._on_change()
            while not self._stopped.is_set():
                stamp = read_stamp(self.overview.target, self.overview.assets)
                if (
                    stamp != self.overview.stamp and stamp[0] is not None
                ):  # the file does not exist while it is being replaced
                    self.refresh()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), _CHECK_S)
        finally:
            await self._end_all()

    def stop(self) -> None:
        """End ``main``."""
        self._stopped.set()

    def refresh(self) -> None:
        """Read the notebook and the files beside it again."""
        try:
            self.overview = read_overview(self.overview.target)
            self.fault = ""
        except ByocKitError as error:
            self.fault = str(error)
        self._on_change()

    def why_not(self, action: Action) -> str:
        """Say why a step cannot be taken now; empty if it can."""
        if action is Action.SERVE and self.is_serving:
            return ""  # it stops the server
        if action is not Action.SERVE and self.is_busy:
            return "wait until the running command ends, or cancel it"
        return self.fault or why_not(action, self.overview)

    def press(self, action: Action) -> None:
        """Take a step, or stop the server, if that is possible now."""
        if self.why_not(action):
            return
        if action is Action.SERVE and self.server is not None and self.is_serving:
            self.server.cancel()
        else:
            self._begin(Job(action, arguments(action, self.overview.target, self.choices)))
        self._on_change()

    def choose(self, choices: Choices) -> None:
        """Run the commands with other choices from now on."""
        self.choices = choices
        self._on_change()

    def cancel(self) -> None:
        """Interrupt the command that runs; the second time, kill it."""
        if self.job is not None:
            self.job.cancel()
            self._on_change()

    def _begin(self, job: Job) -> None:
        if job.action is Action.SERVE:
            self.server = job
        else:
            self.job = job
        job.task = asyncio.create_task(self._run(job), name=f"ship-{job.action}")
        job.task.add_done_callback(lambda _: self._note_end(job))

    async def _run(self, job: Job) -> None:
        try:
            async with background(self._keep_shown(), name="ship-show"):
                job.end_with(await self._work(job))
        except ByocKitError as error:
            job.end(f"failed: {error}", is_failure=True)
        except Exception as error:
            logger.exception("%s broke", job.action)
            job.end(f"failed: {type(error).__name__}: {error}", is_failure=True)

    def _note_end(self, job: Job) -> None:
        """Handle the end of a job's task, which may have been cancelled before it began."""
        if job.is_running:
            job.end("stopped" if job.action is Action.SERVE else "cancelled")
        self.refresh()

    async def _work(self, job: Job) -> int:
        folder = self.overview.target.folder
        if job.action is Action.SERVE:
            return await self._serve(job)
        if job.action is Action.BUILD:
            await on_thread(choose_engine, name="ship-engine")
        return await run(job.arguments, folder, job.tail)

    async def _serve(self, job: Job) -> int:
        import aiohttp

        from byoc_kit.network.health_watch import HealthWatch
        from byoc_kit.system.addresses import free_port

        port = free_port()
        job.arguments += ["--port", str(port)]
        job.health = HealthWatch(f"http://127.0.0.1:{port}")
        async with aiohttp.ClientSession() as session, background(job.health.run(session), name="ship-health"):
            return await run(job.arguments, self.overview.target.folder, job.tail)

    async def _keep_shown(self) -> None:
        while True:
            await asyncio.sleep(_SHOW_S)
            self._on_progress()

    async def _end_all(self) -> None:
        tasks = {job.task for job in (self.job, self.server) if job and job.task and not job.task.done()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=CLOSE_GRACE_S)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def run(arguments: list[str], folder: Path, log: Tail) -> int:
    """Run ``byoc-kit``; returns its exit code, or minus its signal.

    When cancelled, it interrupts the command as Ctrl-C does, and kills it if that does not end it. A second
    cancellation kills it at once.
    """
    async with running(
        command(arguments),
        log,
        folder=folder,
        environment=environment(os.environ),
        ends_with=signal.SIGINT,
        grace_s=INTERRUPT_GRACE_S,
    ) as process:
        return await process.ended()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
