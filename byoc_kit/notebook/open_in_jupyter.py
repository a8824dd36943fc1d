"""Whether a Jupyter server of this machine has a notebook open: its next save would undo a change of the file."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from byoc_kit.errors import printable

# Each running server is asked; one that does not answer in time counts as one that has not opened the notebook.
_TIMEOUT_S = 0.5
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def open_notebook_warning(path: Path) -> str | None:
    """Say what to do about a notebook's file that was changed while it is open; ``None`` if it is not."""
    if not is_open_in_jupyter(path):
        return None
    return (
        f"{printable(path.name)} is open in Jupyter: copy edits that are not saved there, then choose File > Reload "
        "Notebook from Disk; saving it without that takes this change back"
    )


def is_open_in_jupyter(path: Path) -> bool:
    """Whether a notebook has a kernel in a Jupyter server that runs here as the same user."""
    return any(_same(Path(server["root_dir"]) / name, path) for server in _servers() for name in _open_in(server))


def _servers() -> Iterator[dict[str, Any]]:
    """Yield what the running servers have noted of themselves."""
    from jupyter_core.paths import jupyter_runtime_dir

    for file in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            server = json.loads(file.read_bytes())
            os.kill(int(server["pid"]), 0)
            if isinstance(server["root_dir"], str) and urlsplit(server["url"]).hostname in _LOOPBACK:
                yield server
        except (OSError, ValueError, KeyError, TypeError, OverflowError):  # it has ended, or is another version's
            continue


def _open_in(server: dict[str, Any]) -> list[str]:
    """Return the paths of the notebooks that a server runs kernels for, as it says them; it may be gone."""
    url = urlsplit(server["url"])
    if url.scheme != "http":  # its certificate is its owner's own
        return []
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "GET", f"{url.path.rstrip('/')}/api/sessions", headers={"Authorization": f"token {server.get('token', '')}"}
        )
        answer = connection.getresponse()
        sessions = json.loads(answer.read()) if answer.status == http.client.OK else []
        return [str(session["path"]) for session in sessions if session.get("type") == "notebook"]
    except (OSError, ValueError, http.client.HTTPException, KeyError, TypeError, AttributeError):
        return []
    finally:
        connection.close()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
