"""A page in headless Chromium, asked by the DevTools protocol alone.

Playwright has Chromium record all that comes over the network, and so makes the page of a preview grow by 4 MB a
minute; here nothing is recorded. Protocol: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from byoc_kit.bench.child import Child, running
from byoc_kit.bench.preview_page import CHROMIUM_ARGS, VIEWPORT, chromium_binary
from byoc_kit.errors import ByocKitError
from byoc_kit.port import free_port

_TIMEOUT_S = 60.0
_POLL_S = 0.1


class Page:
    """An open page of a Chromium that runs as ``chromium``."""

    def __init__(self, chromium: Child, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.chromium = chromium
        self._socket = socket
        self._numbers = itertools.count(1)

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, one at a time, and return its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") != number:
                continue  # an event
            if "error" in answer:
                raise self.chromium.failure(f"does not take {method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, as JSON has it."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise self.chromium.failure(f"cannot evaluate {expression}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; raises :class:`ByocKitError` where it is not in a minute."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                while True:
                    if await self.evaluate(expression):
                        return
                    await asyncio.sleep(_POLL_S)  # another process has no event for it
        except TimeoutError:
            msg = f"the page did not get so far in {_TIMEOUT_S:.0f} s that {expression}"
            raise ByocKitError(msg) from None

    async def heap_mb(self) -> float:
        """Return the size of the page's JavaScript objects, without those that nobody needs."""
        await self.send("HeapProfiler.collectGarbage")
        return float((await self.send("Runtime.getHeapUsage"))["usedSize"]) / 1e6


@asynccontextmanager
async def open_page(url: str, log: Path) -> AsyncIterator[Page]:
    """Run a headless Chromium with one page; raises :class:`ByocKitError` where it is missing or does not start."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="byoc-kit-chromium-") as profile:
        window = f"--window-size={VIEWPORT['width']},{VIEWPORT['height']}"
        own = ["--headless", f"--remote-debugging-port={port}", f"--user-data-dir={profile}", window]
        command = [chromium_binary(), *own, *CHROMIUM_ARGS, url]
        async with running("Chromium", command, log) as chromium, aiohttp.ClientSession() as http:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    address = await _address(chromium, http, port)
            except TimeoutError:
                raise chromium.failure(f"was not ready in {_TIMEOUT_S:.0f} s") from None
            async with http.ws_connect(address, max_msg_size=0) as socket:
                yield Page(chromium, socket)


async def _address(chromium: Child, http: aiohttp.ClientSession, port: int) -> str:
    """Return the address of the page's DevTools, once it is there."""
    while True:
        if chromium.process.poll() is not None:
            raise chromium.failure("ended early")
        try:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in await answer.json() if target["type"] == "page"]
        except aiohttp.ClientError:
            pages = []
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        await asyncio.sleep(_POLL_S)  # another process has no event for it
