"""What a container engine is to a build: a module for each, behind one protocol."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from byoc_kit.errors import ByocKitError

_ANSWERS_WITHIN_S = 60  # a socket without a server accepts a request and never answers
# Docker's reference grammar: registry, path, tag.
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
_PLATFORM = re.compile(r"linux/[a-z0-9]+(?:/v[0-9]+)?")


class ImageError(ByocKitError):
    """The engine is missing, its command failed, or the image is not what was asked for."""


@dataclass(frozen=True)
class BuildPlan:
    """An image to build, and what is to become of it.

    ``indexes`` are names of environment variables that the build's pip gets, never their values: a password may be in
    one. ``no_index`` lets pip use the bundle's wheels alone.
    """

    bundle: Path
    tag: str
    base_image: str | None = None
    no_index: bool = False
    indexes: tuple[str, ...] = ()
    platform: str | None = None
    is_pushed: bool = False
    save: Path | None = None


class Engine(Protocol):
    """A module of an engine. Its functions run nothing, but for ``probe``."""

    @property
    def NAME(self) -> str:  # noqa: N802  # a constant of the module
        """The program's name."""

    def find(self) -> bool:
        """Whether its program is on the PATH."""

    def probe(self) -> str | None:
        """Return why it cannot build here, with the next step; ``None`` if it can."""

    def argv(self, plan: BuildPlan) -> list[list[str]]:
        """Return the commands that build an image, then those that push and save it."""


def options(plan: BuildPlan) -> list[str]:
    """Return the arguments of a build that every engine takes."""
    arguments = ["--build-arg", f"BASE_IMAGE={plan.base_image}"] if plan.base_image else []
    if plan.no_index:
        arguments += ["--build-arg", "PIP_NO_INDEX=1"]
    arguments += [part for name in plan.indexes for part in ("--build-arg", name)]
    if plan.platform:
        arguments += ["--platform", plan.platform]
    return ["--tag", plan.tag, *arguments, str(plan.bundle)]


def answers(command: Sequence[str]) -> bool:
    """Whether a command of an engine ends well, in the time that an engine takes at most."""
    try:
        return not subprocess.run(command, capture_output=True, check=False, timeout=_ANSWERS_WITHIN_S).returncode
    except subprocess.TimeoutExpired:
        return False


def check_name(tag: str) -> None:
    """Raise ``ImageError`` if no image can have this name."""
    if not _REFERENCE.fullmatch(tag):
        msg = f"{tag!r} cannot name an image; write it as in registry.example.com/team/model:1.0, in lower case"
        raise ImageError(msg)


def check_platform(platform: str) -> None:
    """Raise ``ImageError`` if this names no platform, or several."""
    if not _PLATFORM.fullmatch(platform):
        msg = f"{platform!r} is no platform that a bundle is built for; give one, such as linux/amd64"
        raise ImageError(msg)
