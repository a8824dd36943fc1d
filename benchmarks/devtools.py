"""A page in headless Chromium, asked by the DevTools protocol alone: https://chromedevtools.github.io/devtools-protocol/.

Not by Playwright, which has Chromium record all that comes over the network: that takes a part of the CPU, and makes
the page of a preview grow by 4 MB a minute.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.child import Child, running
from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import free_port

# A picture that is not on the screen need not be drawn: everything fits into this window.
_WINDOW = "1760,1600"
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # which refuses to start as root
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--window-size={_WINDOW}",
]
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
                msg = f"does not take {method}: {answer['error']['message']}"
                raise self.chromium.failure(msg)
            result: dict[str, Any] = answer["result"]
            return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, as JSON has it."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            msg = f"cannot evaluate {expression}: {answer['exceptionDetails']['text']}"
            raise self.chromium.failure(msg)
        return answer["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; raises ``ByocKitError`` where it is not in a minute."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                while True:
                    if await self.evaluate(expression):
                        return
                    await asyncio.sleep(_POLL_S)  # another process has no event for it
        except TimeoutError:
            msg = f"the page did not get so far in {_TIMEOUT_S:.0f} s that {expression}"
            raise ByocKitError(msg) from None

    async def screenshot(self) -> bytes:
        """Return what the page looks like, as a PNG."""
        return b64decode((await self.send("Page.captureScreenshot"))["data"])

    async def version(self) -> str:
        """Return the version of Chromium."""
        product: str = (await self.send("Browser.getVersion"))["product"]
        return product.rpartition("/")[2]

    async def heap_mb(self) -> float:
        """Return the size of the page's JavaScript objects, without those that nobody needs."""
        await self.send("HeapProfiler.collectGarbage")
        return float((await self.send("Runtime.getHeapUsage"))["usedSize"]) / 1e6


@asynccontextmanager
async def open_page(url: str, log: Path) -> AsyncIterator[Page]:
    """Run a headless Chromium with one page; raises ``ByocKitError`` where it is missing or does not start."""
    port = free_port()
    # Chromium's helpers write to the profile a moment longer than it runs itself.
    with tempfile.TemporaryDirectory(prefix="byoc-kit-chromium-", ignore_cleanup_errors=True) as profile:
        own = [f"--remote-debugging-port={port}", f"--user-data-dir={profile}"]
        command = [_binary(), *_ARGUMENTS, *own, url]
        async with running("Chromium", command, log) as chromium, aiohttp.ClientSession() as http:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    address = await _address(chromium, http, port)
            except TimeoutError:
                msg = f"was not ready in {_TIMEOUT_S:.0f} s"
                raise chromium.failure(msg) from None
            async with http.ws_connect(address, max_msg_size=0) as socket:
                yield Page(chromium, socket)


def _binary() -> str:
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if binary is None:
        msg = "the preview is measured in Chromium, which is not on the path; apt-get install chromium"
        raise ByocKitError(msg)
    return binary


async def _address(chromium: Child, http: aiohttp.ClientSession, port: int) -> str:
    """Return the address of the page's DevTools, once it is there."""
    while True:
        if chromium.process.code is not None:
            msg = "ended early"
            raise chromium.failure(msg)
        try:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in await answer.json() if target["type"] == "page"]
        except aiohttp.ClientError:
            pages = []
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        await asyncio.sleep(_POLL_S)  # another process has no event for it
