"""Builds and runs a bundle's image with the Docker engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Container
from pathlib import Path
from typing import NoReturn

from byoc_kit.bundle.dockerfile import LABEL, PORT
from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import in_url
from byoc_kit.system.processes import Tail, run_shown

_TAIL = 15
_ANSWERS_WITHIN_S = 60  # a socket without a server accepts a request and never answers
_HINTS = {
    r"pull access denied|manifest unknown|failed to resolve source metadata|registry.*(refused|timeout|no such host)": (
        "the base image is not available here; name one that is with --base-image"
    ),
    r"No matching distribution found|name resolution|CERTIFICATE_VERIFY_FAILED|Failed to establish a new connection": (
        "pip reaches no index from within the build; collect the wheels here with "
        "`byoc-kit export NOTEBOOK --wheelhouse`, and build again"
    ),
}
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_SECRETS = "/run/secrets"
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
# By this name, a container reaches this machine's trickle server.
HOST_NAME = "host.docker.internal"


class ImageError(ByocKitError):
    """The engine is missing, or its command failed."""


def require_engine() -> None:
    """Raise ``ImageError`` if no Docker engine answers."""
    if shutil.which("docker") is None:
        msg = "there is no `docker` on the PATH; install Docker Engine, or serve without --image"
        raise ImageError(msg)
    asking = ["docker", "info", "--format", "{{.ServerVersion}}"]
    try:
        is_there = not subprocess.run(asking, capture_output=True, check=False, timeout=_ANSWERS_WITHIN_S).returncode
    except subprocess.TimeoutExpired:
        is_there = False
    if not is_there:
        msg = "the Docker engine does not answer; start it, and see what `docker info` says"
        raise ImageError(msg)


def build_image(
    bundle: Path, *, model_id: str, tag: str, base_image: str | None = None, no_index: bool = False
) -> None:
    """Build the image; the engine's output goes to stderr. Raises ``ImageError`` where it fails.

    Untagged images of earlier builds for ``model_id`` are removed, except those that are the next build's cache. Unless
    ``no_index``, its pip uses the indexes that the environment names: PyTorch has an index for each device.
    """
    require_engine()
    arguments = ["--build-arg", f"BASE_IMAGE={base_image}"] if base_image else []
    if no_index:
        arguments += ["--build-arg", "PIP_NO_INDEX=1"]
    else:
        # Only the name: docker reads the value itself, so a password in it is not visible.
        arguments += [part for name in _INDEXES if os.environ.get(name) for part in ("--build-arg", name)]
    named: set[str] = set()

    def note_image(line: str) -> None:
        if found := _STEP_IMAGE.match(line.rstrip()):
            named.add(found[1])

    command = ["docker", "build", "--force-rm", "--tag", tag, *arguments, str(bundle)]
    _run_and_show(command, called="docker build", hear=note_image)
    _remove_leftovers(model_id, named)


def _remove_leftovers(model_id: str, kept: Container[str]) -> None:
    """Remove the untagged images of earlier builds, except those to be ``kept``: this build named them in its output.

    The classic builder keeps the last image of each stage, 2 GB each with torch; the newest are its cache.
    """
    label = f"{LABEL}={model_id}"
    listing = ["docker", "images", "--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", f"label={label}"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
    leftovers = [image for image in listed if image.removeprefix("sha256:")[:12] not in kept]
    if leftovers:  # an image in use by a container stays until after the next build
        subprocess.run(["docker", "image", "rm", *leftovers], capture_output=True, check=False)


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
        _run_and_show(["docker", "pull", image], called=f"docker pull {image}")
    except ImageError as error:
        msg = f"the base image {image} is not here and cannot be pulled; name one that is: "
        msg += "make demo BASE_IMAGE=NAME, or byoc-kit demo --base-image NAME"
        raise ImageError(msg) from error


def remove_container(name: str) -> None:
    """Kill and remove a container, if it is still there."""
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def _has_image(image: str) -> bool:
    return not subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode


def _run_and_show(command: list[str], *, called: str, hear: Callable[[str], None] | None = None) -> None:
    """Run a command with its output on stderr, and give each line of it to ``hear``.

    Raises ``ImageError`` with its exit code, and with advice if there is any, as the last text that a reader sees.
    """
    log = Tail(_TAIL)

    def show(line: str) -> None:
        sys.stderr.write(line)
        if hear is not None:
            hear(line)

    code = run_shown(command, log, show)
    if code:
        said = "\n".join(log.lines)
        hint = next((hint for pattern, hint in _HINTS.items() if re.search(pattern, said)), "")
        advice = hint or "fix what its last lines say, above"
        msg = f"{called} ended with exit code {code}; {advice}"
        raise ImageError(msg)
