"""Runs a bundle's image with the Docker engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from byoc_kit.bundle.dockerfile import PORT
from byoc_kit.image import docker
from byoc_kit.image.build import pull
from byoc_kit.image.engine import ImageError
from byoc_kit.system.addresses import in_url

_SECRETS = "/run/secrets"
# By this name, a container reaches this machine's trickle server.
HOST_NAME = "host.docker.internal"


def require_engine() -> None:
    """Raise ``ImageError`` if no Docker engine answers."""
    if not docker.find():
        msg = "there is no `docker` on the PATH; install Docker Engine, or serve without --image"
        raise ImageError(msg)
    if reason := docker.probe():
        raise ImageError(reason)


def run_command(
    image: str, *, port: int, host: str = "127.0.0.1", name: str | None = None, gpus: str | None = None
) -> list[str]:
    """Return the command that runs an image in the foreground, with its port at ``host:port``.

    It passes this environment's settings for the container, the files with its secrets, and ``gpus`` in Docker's form:
    ``all``, ``device=0``.
    """
    from byoc_kit.server.settings import SECRET_FILES, variables

    command = ["docker", "run", "--rm", "--init", "--publish", f"{in_url(host)}:{port}:{PORT}"]
    command += ["--add-host", f"{HOST_NAME}:host-gateway"]
    command += [part for name in variables() if os.environ.get(name) for part in ("--env", name)]
    for variable, secret in SECRET_FILES.items():
        if given := os.environ.get(variable):
            mounted = f"{_SECRETS}/{secret.lower()}"
            command += ["--mount", f"type=bind,source={Path(given).resolve()},target={mounted},readonly"]
            command += ["--env", f"{variable}={mounted}"]
    if gpus:
        command += ["--gpus", gpus]
    if name:
        command += ["--name", name]
    return [*command, image]


def run_image(image: str, *, port: int, host: str, gpus: str | None = None) -> NoReturn:
    """Replace this process by ``docker run``, so that Ctrl-C and SIGTERM reach the container."""
    require_engine()
    require_image(image)
    reached_at = "localhost" if host in {"0.0.0.0", "::"} else in_url(host)  # noqa: S104  # no address to type into a browser
    sys.stderr.write(f"{image} answers at http://{reached_at}:{port} once it has loaded; Ctrl-C ends it\n")
    sys.stderr.flush()
    os.execvp("docker", run_command(image, port=port, host=host, gpus=gpus))  # noqa: S606  # docker itself gets the signals


def require_image(image: str) -> None:
    """Raise ``ImageError`` if the engine has no such image."""
    if not _has_image(image):
        msg = f"there is no image {image}; build it with `byoc-kit build BUNDLE`"
        raise ImageError(msg)


def require_base_image(image: str) -> None:
    """Pull an image unless the engine has it. Raises ``ImageError`` if it cannot be pulled."""
    require_engine()
    if _has_image(image):
        return
    try:
        pull(image)
    except ImageError as error:
        msg = f"the base image {image} is not here and cannot be pulled; name one that is: "
        msg += "make demo BASE_IMAGE=NAME, or byoc-kit demo --base-image NAME"
        raise ImageError(msg) from error


def remove_container(name: str) -> None:
    """Kill and remove a container, if it is still there."""
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def _has_image(image: str) -> bool:
    return not subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode
