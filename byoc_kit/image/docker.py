"""Building and running a bundle's image with the Docker engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import NoReturn

from byoc_kit.bundle.dockerfile import PORT
from byoc_kit.errors import ByocKitError

_TAIL = 15
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
# A container reaches the trickle server of this machine by this name.
HOST_NAME = "host.docker.internal"


class ImageError(ByocKitError):
    """The engine is missing, or what it was asked for failed."""


def require_engine() -> None:
    """Raise :class:`ImageError` where no Docker engine answers."""
    if shutil.which("docker") is None:
        msg = "there is no `docker` on the PATH; install Docker Engine, or serve without --image"
        raise ImageError(msg)
    done = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, check=False)
    if done.returncode:
        msg = "the Docker engine does not answer; start it, and see what `docker info` says"
        raise ImageError(msg)


def build_image(bundle: Path, *, tag: str, base_image: str | None = None, no_index: bool = False) -> None:
    """Build the image; the engine's output goes to stderr. Raises :class:`ImageError` with its last lines.

    Unless ``no_index``, its pip has the indexes that the environment names: PyTorch's builds have one for each device.
    """
    require_engine()
    arguments = ["--build-arg", f"BASE_IMAGE={base_image}"] if base_image else []
    if no_index:
        arguments += ["--build-arg", "PIP_NO_INDEX=1"]
    else:
        # By name alone: docker takes the value itself, and a password in it shows nowhere.
        arguments += [part for name in _INDEXES if os.environ.get(name) for part in ("--build-arg", name)]
    _run_and_show(["docker", "build", "--force-rm", "--tag", tag, *arguments, str(bundle)], called="docker build")


def run_command(
    image: str, *, port: int, host: str = "127.0.0.1", name: str | None = None, gpus: str | None = None
) -> list[str]:
    """Return the command that runs an image in the foreground, its port at ``host:port``.

    It gets this environment's settings of the container, and ``gpus`` as Docker takes them: ``all``, ``device=0``.
    """
    from byoc_kit.server.settings import variables

    command = ["docker", "run", "--rm", "--init", "--publish", f"{host}:{port}:{PORT}"]
    command += ["--add-host", f"{HOST_NAME}:host-gateway"]
    command += [part for name in variables() if os.environ.get(name) for part in ("--env", name)]
    if gpus:
        command += ["--gpus", gpus]
    if name:
        command += ["--name", name]
    return [*command, image]


def run_image(image: str, *, port: int, host: str, gpus: str | None = None) -> NoReturn:
    """Become the running image: Ctrl-C and SIGTERM reach it."""
    require_engine()
    require_image(image)
    os.execvp("docker", run_command(image, port=port, host=host, gpus=gpus))  # noqa: S606  # docker itself gets the signals


def require_image(image: str) -> None:
    """Raise :class:`ImageError` where the engine has no such image."""
    if not _has_image(image):
        msg = f"there is no image {image}; build it with `byoc-kit build BUNDLE`"
        raise ImageError(msg)


def require_base_image(image: str) -> None:
    """Pull an image unless the engine has it. Raises :class:`ImageError` where it is not to be had."""
    require_engine()
    if _has_image(image):
        return
    try:
        _run_and_show(["docker", "pull", image], called=f"docker pull {image}")
    except ImageError as error:
        msg = f"the base image {image} is not here and cannot be pulled; name one that is with BASE_IMAGE=NAME"
        raise ImageError(msg) from error


def remove_container(name: str) -> None:
    """Kill and remove a container, if it is still there."""
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def _has_image(image: str) -> bool:
    return not subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode


def _run_and_show(command: list[str], *, called: str) -> None:
    """Run a command, its output going to stderr. Raises :class:`ImageError` with its exit code and last lines."""
    last: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        for line in process.stdout:
            sys.stderr.write(line)
            last.append(line)
    if process.returncode:
        said = "".join(last).rstrip()
        msg = f"{called} ended with exit code {process.returncode}; mend what its last lines say:\n{said}"
        raise ImageError(msg)
