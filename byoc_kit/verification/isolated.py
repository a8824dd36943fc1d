"""Runs the exported module over a clip, in an interpreter that has only the locked requirements."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Self

from byoc_kit.core.bundle_reader import Bundle, BundleError, load_processor, read_bundle, schema_drift
from byoc_kit.core.source_map import locate
from byoc_kit.errors import in_one_line
from byoc_kit.verification.later_streams import UNFINISHED, Memory
from byoc_kit.verification.replay import Fault, Replay, Task, replay

LATER_STREAMS_S = 60.0
"""The time limit for the streams after the first; they have sixteen frames."""


def main(task_file: str, folder: str) -> None:
    """Load a bundle's processor, run the task, and save the result in the task's folder."""
    task = Task.load(task_file)
    _run(task, read_bundle(folder)).save()


def _run(task: Task, bundle: Bundle) -> Replay:
    try:
        processor = load_processor(bundle)
    except BundleError as error:
        return Replay.broken(task, Fault.LOAD, _why(error, bundle))
    drift = schema_drift(bundle, processor)
    with _Patience(drift) as patience:
        found = replay(processor, task, processor.where, lambda: load_processor(bundle), patience.begin)
    return replace(found, drift=drift)


class _Patience:
    """Ends this process where later streams are not through in time; what the first one gave is kept.

    A hook that hangs cannot be ended otherwise, and the clip's lock would be held for as long.
    """

    def __init__(self, drift: str | None) -> None:
        self._drift = drift
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def begin(self, first: Replay) -> None:
        """Keep the first stream's result; the later streams begin."""
        first = replace(first, drift=self._drift)
        replace(first, memory=UNFINISHED).save()
        said = f"the second stream was not through within {LATER_STREAMS_S:g} s"
        self._timer = threading.Timer(LATER_STREAMS_S, self._give_up, [replace(first, memory=Memory(said))])
        self._timer.daemon = True
        self._timer.start()

    def _give_up(self, first: Replay) -> None:
        first.save()
        os._exit(0)

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # if the timer fires right now, it ends the process


def _why(error: BundleError, bundle: Bundle) -> str:
    cause = error.__cause__
    if not isinstance(cause, ModuleNotFoundError):
        return str(error)
    file = str((bundle.folder / "processor.py").resolve())
    place = locate(cause.__traceback__, file, bundle.source_map)
    return f"{place}: {in_one_line(cause)}; requirements.lock brings none: export the notebook again"
