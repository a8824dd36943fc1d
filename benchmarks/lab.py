"""A JupyterLab of its own on a folder, for as long as something is measured in it."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.child import Child, running
from benchmarks.measure import run_with
from byoc_kit.system.addresses import free_port

_READY_TIMEOUT_S = 60.0
_POLL_S = 0.1
_QUIET = '{"fetchNews": "false", "checkForUpdates": false}'


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs: its server's process, and where it answers."""

    child: Child
    url: str
    token: str

    def notebook_url(self, notebook: str) -> str:
        """Return the page of a notebook of the folder, in a workspace of its own."""
        return f"{self.url}/lab/workspaces/auto-{Path(notebook).stem}/tree/{notebook}?token={self.token}"

    async def end_kernels(self) -> None:
        """End every kernel, as closing its session does."""
        headers = {"Authorization": f"token {self.token}"}
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as http:
            async with http.get(f"{self.url}/api/sessions") as answer:
                sessions: list[dict[str, Any]] = await answer.json()
            for session in sessions:
                async with http.delete(f"{self.url}/api/sessions/{session['id']}"):
                    pass


@asynccontextmanager
async def running_lab(folder: Path) -> AsyncIterator[Lab]:
    """Run JupyterLab on ``folder`` while the body runs, with settings, data and home in ``folder/.lab``.

    Its front end is ``window.jupyterapp`` in the page. Raises ``ByocKitError``, with the log's
    end, where it does not start.
    """
    own = folder / ".lab"
    settings = own / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(_QUIET)
    port, token = free_port(), secrets.token_urlsafe()
    places = {f"JUPYTER_{name}_DIR": own / name.lower() for name in ("CONFIG", "DATA", "RUNTIME")}
    places |= {"HOME": own, "IPYTHONDIR": own / "ipython"}
    command = [
        "env",
        *(f"{name}={path}" for name, path in places.items()),
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"),
    ]
    async with running("JupyterLab", command, folder / "jupyterlab.log") as child:
        lab = Lab(child, f"http://127.0.0.1:{port}", token)
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await run_with(_until_it_answers(lab), child.must_live())
        except TimeoutError:
            msg = f"was not ready in {_READY_TIMEOUT_S:.0f} s"
            raise child.failure(msg) from None
        yield lab


async def _until_it_answers(lab: Lab) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{lab.url}/api"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(_POLL_S)  # another process has no event for it
