"""Runs the exported module in a new interpreter that has only the locked requirements."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial

from byoc_kit.bundle.wheels import read_lock
from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.system.concurrency import on_thread
from byoc_kit.system.processes import Tail, running
from byoc_kit.verification.later_streams import UNFINISHED, Memory
from byoc_kit.verification.linked_site import LinkedSiteError, link_site
from byoc_kit.verification.replay import Fault, Replay, Task

# After the standard library, like site-packages: cv2 inserts a folder of its own as the second.
_MAIN = "import sys; sys.path.append(sys.argv[1]); from byoc_kit.verification.isolated import main; main(*sys.argv[2:])"


async def replay_module(bundle: Bundle, task: Task, *, timeout_s: float) -> Replay:
    """Run the task with the bundle's module, in the bundle's folder, as in its image."""
    site, task_file = task.folder / "site", task.save()
    try:
        locked = read_lock(bundle.folder)
        await on_thread(partial(link_site, locked, site), name="link-site")
    except (LinkedSiteError, OSError, ValueError) as error:
        return Replay.broken(task, Fault.LOCK, _why_no_site(error))
    # -I and -S leave only the standard library on the path, without site-packages and the working folder.
    command = [sys.executable, "-I", "-S", "-B", "-c", _MAIN, str(site), str(task_file), str(bundle.folder.resolve())]
    log, code = Tail(), None
    async with running(command, log, folder=bundle.folder, ends_with=signal.SIGKILL) as process:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                code = await process.ended()
    is_in_time = code is not None
    found = Replay.load(task.folder)
    late = f"was not through after {timeout_s:g} s; see --timeout"
    said = f"exit code {code}: {log.last or 'it said nothing'}" if is_in_time else late
    if found is not None and found.memory == UNFINISHED:  # the first stream's result is still valid
        return replace(found, memory=Memory(f"the second stream: {said}", is_failure=is_in_time))
    return found if found is not None and is_in_time else Replay.broken(task, Fault.RUN, said)


def _why_no_site(error: Exception) -> str:
    if isinstance(error, LinkedSiteError):
        return str(error)
    return f"requirements.lock cannot be read ({error}); export the notebook again"
