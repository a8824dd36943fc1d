"""What previews that are over leave in their kernel: its memory while a cell runs again, or the source changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no type hints
from jupyter_client.manager import AsyncKernelManager

from benchmarks.held import Held
from byoc_kit.errors import ByocKitError
from byoc_kit.system.concurrency import background

_START_S = 60.0
_CELL_S = 30.0
_PREVIEW_CELL = "preview"
# A little more than the example clip has.
_FRAMES = 150
_DEFINITIONS = """
import time
import byoc_kit

def process_frame(frame):
    return 255 - frame.pixels

def wait_for(frames):
    wanted = shown.stats().frames_in + frames
    while shown.stats().frames_in < wanted:
        time.sleep(0.01)
"""


async def run_again(clip: Path, times: int, *, frames: int = _FRAMES) -> AsyncGenerator[Held, None]:
    """Run a preview's cell again and again, and let it show so many frames each time."""
    async with kernel() as at:
        await at.run(_DEFINITIONS)
        for _ in range(times):
            await at.run(_start(clip), cell=_PREVIEW_CELL)
            await at.run(f"wait_for({frames})")
            yield at.held()


async def switch_sources(clip: Path, times: int, *, frames: int = _FRAMES) -> AsyncGenerator[Held, None]:
    """Switch a preview to the clip again and again, and let it show so many frames each time."""
    async with kernel() as at:
        await at.run(_DEFINITIONS)
        await at.run(_start(clip), cell=_PREVIEW_CELL)
        for _ in range(times):
            await at.run(f"shown.switch({str(clip)!r})\nwait_for({frames})")
            yield at.held()


def _start(clip: Path) -> str:
    return f"shown = byoc_kit.preview(process_frame, {str(clip)!r}, fps=500)\nshown"


@asynccontextmanager
async def kernel() -> AsyncIterator[Kernel]:
    """Start an IPython kernel, and end it with the body."""
    manager: Any = AsyncKernelManager()
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=_START_S)
        at = Kernel(client, psutil.Process(manager.provisioner.pid))
        async with background(at.follow(), name="kernel-messages"):
            yield at
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


class Kernel:
    """A kernel with a front end that answers each picture at once."""

    def __init__(self, client: Any, process: psutil.Process) -> None:
        self._client = client
        self._process = process
        self._running: dict[str, asyncio.Future[None]] = {}

    def held(self) -> Held:
        """Return what the kernel's process holds."""
        return Held(self._process.memory_info().rss / 1e6, self._process.num_threads())

    async def run(self, code: str, *, cell: str = "") -> None:
        """Run a cell, and wait for its end. Raises ``ByocKitError`` where it fails, or takes too long."""
        content = {"code": code, "silent": False, "allow_stdin": True, "user_expressions": {}, "stop_on_error": True}
        ended = asyncio.get_running_loop().create_future()
        self._running[self._send("execute_request", content, {"cellId": cell})] = ended
        try:
            await asyncio.wait_for(ended, _CELL_S)
        except TimeoutError:
            msg = f"the cell `{code.strip()}` has not ended in {_CELL_S:g} s"
            raise ByocKitError(msg) from None

    async def follow(self) -> None:
        """Take what the kernel sends, for ever."""
        while True:
            message = await self._client.get_iopub_msg()
            self._take(message["msg_type"], message["content"], message["parent_header"].get("msg_id", ""))

    def _take(self, kind: str, content: dict[str, Any], request: str) -> None:
        if kind == "comm_msg" and content["data"].get("content", {}).get("kind") == "pair":
            self._answer(content["comm_id"], content["data"]["content"]["number"])
        elif kind == "error" and (ended := self._running.pop(request, None)):
            ended.set_exception(ByocKitError(f"a cell failed in the kernel: {content['ename']}: {content['evalue']}"))
        elif kind == "status" and content["execution_state"] == "idle" and (ended := self._running.pop(request, None)):
            ended.set_result(None)

    def _answer(self, comm: str, number: int) -> None:
        picture = {"number": number, "drawn": True, "draw_ms": 1.0, "ago_ms": 0.0, "glass_ms": None}
        data = {"method": "custom", "content": {"kind": "ack", "pictures": [picture]}}
        self._send("comm_msg", {"comm_id": comm, "data": data})

    def _send(self, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
        message = self._client.session.msg(kind, content, metadata=metadata)
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])
