"""Runs the whole notebook in a new kernel, as Run All does, and then its hooks over a clip."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from byoc_kit.jupyter.preview.interface import SETTING, STILL
from byoc_kit.notebook.notebook_file import Cell, Notebook, NotebookError, read_notebook
from byoc_kit.verification.replay import Fault, Replay, Task

_START_S = 60.0
_AFTER = (
    "__import__('importlib').import_module('byoc_kit.verification.in_kernel')"
    ".replay_in_kernel(globals(), {!r}, {!r}, {!r})"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The kernel's name for an exception that was raised while a cell's value was shown.
_OF_NO_ERROR = "NoneType: None"
_PLACE = re.compile(r"Cell In\[(\d+)\], line (\d+)")


async def replay_notebook(path: Path, task: Task, *, timeout_s: float) -> Replay:
    """Run the notebook's code cells in its folder, and then the task with the hooks that they define.

    The kernel uses the Python that runs the kit, since the bundle has locked its packages.
    """
    try:
        run = _Run(read_notebook(path), task)
    except NotebookError as error:
        return Replay.broken(task, Fault.LOAD, str(error))
    try:
        async with asyncio.timeout(timeout_s):
            failure = await run.to_end()
    except TimeoutError:
        return Replay.broken(task, run.fault, f"{run.at} was not through after {timeout_s:g} s; see --timeout")
    if failure:
        return Replay.broken(task, run.fault, failure)
    return Replay.load(task.folder) or Replay.broken(task, run.fault, "the kernel left nothing behind")


class _Run:
    """One run of a notebook; ``at`` says what runs now."""

    def __init__(self, notebook: Notebook, task: Task) -> None:
        self.at = "the start of the kernel"
        self.fault = Fault.LOAD
        self._notebook = notebook
        self._folder = str((notebook.folder or Path()).resolve())
        self._task_file = task.save()
        self._cells: dict[int, int] = {}

    async def to_end(self) -> str:
        """Run everything; returns what went wrong in one sentence, or nothing."""
        async with _kernel(self._folder, self._task_file.parent) as (manager, client):
            assert manager.provisioner is not None  # noqa: S101  # it has started one
            running = asyncio.create_task(self._run(client))
            dying = asyncio.create_task(manager.provisioner.wait())
            try:
                await asyncio.wait([running, dying], return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    return running.result()
                return f"{self.at} ended the kernel, exit code {dying.result()}"
            finally:
                running.cancel()
                dying.cancel()
                await asyncio.wait([running, dying])

    async def _run(self, client: AsyncKernelClient) -> str:
        for cell in filter(_is_run, self._notebook.cells):
            self.at = f"{self._notebook.name}, cell {cell.number}"
            reply = await _execute(client, cell.source)
            self._cells[reply["execution_count"]] = cell.number
            if reply["status"] != "ok" and "raises-exception" not in cell.tags:
                return self._failure(reply)
        self.at, self.fault = "the notebook's process_frame", Fault.RUN
        reply = await _execute(client, _AFTER.format(str(self._task_file), self._notebook.name, self._cells))
        return "" if reply["status"] == "ok" else self._failure(reply)

    def _failure(self, reply: dict[str, Any]) -> str:
        trace = _COLOURS.sub("", "\n".join(reply.get("traceback", [])))
        said = " ".join(f"{reply.get('ename', reply['status'])}: {reply.get('evalue', '')}".split()).removesuffix(":")
        if said == _OF_NO_ERROR and trace.strip():
            said = trace.strip().splitlines()[-1]
        places = _PLACE.findall(trace)
        if not places:
            return f"{self.at}: {said}"
        count, line = map(int, places[-1])
        cell = self._cells.get(count)
        return f"{self._notebook.name}, cell {cell}, line {line}: {said}" if cell else f"{self.at}: {said}"


@asynccontextmanager
async def _kernel(folder: str, scratch: Path) -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    """Start a kernel of this Python, whichever kernels are registered, and kill it and its children at the end."""
    manager = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), connection_file=str(scratch / "kernel.json")
    )
    client: AsyncKernelClient | None = None
    log = (scratch / "log").open("wb")
    try:
        memory_only = ["--HistoryManager.hist_file=:memory:"]
        # No preview may process a frame: a hook would remember it, and the comparison would see a difference.
        environment = {**os.environ, SETTING: STILL}
        await manager.start_kernel(cwd=folder, env=environment, stdout=log, stderr=log, extra_arguments=memory_only)
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=_START_S)
        yield manager, client
    finally:
        if client is not None:
            client.stop_channels()
        await manager.shutdown_kernel(now=True)
        log.close()


async def _execute(client: AsyncKernelClient, source: str) -> dict[str, Any]:
    reply = await client.execute_interactive(source, allow_stdin=False, output_hook=lambda _: None)
    content: dict[str, Any] = reply["content"]
    return content


def _is_run(cell: Cell) -> bool:
    return cell.is_code and bool(cell.source.strip()) and "skip-execution" not in cell.tags
