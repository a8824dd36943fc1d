"""Runs an image that was just built, shut off as far as an orchestrator may, and puts pictures through it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from byoc_kit.bundle.dockerfile import PORT
from byoc_kit.image import smoke_client
from byoc_kit.image.engine import ImageError
from byoc_kit.system.processes import Tail

PICTURES = 50
STOP_S = 5
"""How long an orchestrator that exits waits for the end."""

_LINES = 15
_KILLED = 137
# No network but loopback, nothing to write to, no right of root's.
_SHUT_OFF = (
    "--network",
    "none",
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--no-healthcheck",
)


def smoke_run(engine: str, image: str) -> None:
    """Start an image, wait for ok, put pictures through it, and end it with SIGTERM.

    ``engine`` is the program that runs it, docker or podman. Raises ``ImageError`` with the container's last lines.
    """
    with _container(engine, image) as name:
        client = Path(smoke_client.__file__).read_bytes()
        command = [engine, "exec", "--interactive", name, "python3", "-", f"http://127.0.0.1:{PORT}", str(PICTURES)]
        done = subprocess.run(command, input=client, capture_output=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise _failure(engine, name, image, _end_of(engine, name) or said or f"exit code {done.returncode}")
        subprocess.run([engine, "stop", "--time", str(STOP_S), name], capture_output=True, check=False)
        code = _ask(engine, "inspect", "--format", "{{.State.ExitCode}}", name)
        if code != "0":
            slow = f"it had not ended {STOP_S} s after SIGTERM" if code == str(_KILLED) else ""
            raise _failure(engine, name, image, slow or f"it ended with exit code {code} after SIGTERM")


@contextmanager
def _container(engine: str, image: str) -> Iterator[str]:
    name = f"byoc-kit-smoke-{uuid.uuid4().hex[:12]}"
    command = [engine, "run", "--detach", "--name", name, *_SHUT_OFF, image]
    try:
        started = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if started.returncode:
            said = " ".join(started.stderr.split())
            msg = f"{engine} cannot run {image}: {said}; mend that, or build with --no-smoke"
            raise ImageError(msg)
        yield name
    finally:
        subprocess.run([engine, "rm", "--force", name], capture_output=True, check=False)


def _end_of(engine: str, name: str) -> str:
    """Say how the container has ended, if it has."""
    status, code = _ask(engine, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name).split()
    return f"the container ended by itself with exit code {code}" if status == "exited" else ""


def _failure(engine: str, name: str, image: str, what: str) -> ImageError:
    log = Tail(_LINES)
    done = subprocess.run([engine, "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    log.feed(done.stdout)
    sys.stderr.write("".join(f"  {line}\n" for line in ["the container's last lines:", *log.lines]))
    return ImageError(
        f"{image} is built, but its smoke run failed: {what}; see the container's last lines above, or build with "
        "--no-smoke"
    )


def _ask(engine: str, *arguments: str) -> str:
    return subprocess.run([engine, *arguments], capture_output=True, text=True, check=False).stdout.strip()
