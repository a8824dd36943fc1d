"""Runs the exported module in a new interpreter that has only the locked requirements."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from byoc_kit.bundle.wheels import read_lock
from byoc_kit.core.bundle_reader import Bundle
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
        await asyncio.to_thread(link_site, locked, site)
    except (LinkedSiteError, OSError, ValueError) as error:
        return Replay.broken(task, Fault.LOCK, _why_no_site(error))
    log = task.folder / "log"
    # -I and -S leave only the standard library on the path, without site-packages and the working folder.
    command = [sys.executable, "-I", "-S", "-B", "-c", _MAIN, str(site), str(task_file), str(bundle.folder.resolve())]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=bundle.folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
            is_in_time = True
        except TimeoutError:
            is_in_time = False
        finally:
            await _end(process)
    found = Replay.load(task.folder)
    late = f"was not through after {timeout_s:g} s; see --timeout"
    said = f"exit code {process.returncode}: {_last_line(log)}" if is_in_time else late
    if found is not None and found.memory == UNFINISHED:  # the first stream's result is still valid
        return replace(found, memory=Memory(f"the second stream: {said}", is_failure=is_in_time))
    return found if found is not None and is_in_time else Replay.broken(task, Fault.RUN, said)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process and those that it started, as far as they still run."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _why_no_site(error: Exception) -> str:
    if isinstance(error, LinkedSiteError):
        return str(error)
    return f"requirements.lock cannot be read ({error}); export the notebook again"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
