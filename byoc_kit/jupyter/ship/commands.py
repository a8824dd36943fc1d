"""The commands that the buttons run, as a person would type them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from byoc_kit.jupyter.ship.overview import BundleState, Overview, Target


class Action(StrEnum):
    """A step that has a button."""

    CHECK = "check"
    FIX = "fix tags"
    EXPORT = "export"
    BUILD = "build"
    SERVE = "serve"
    VERIFY = "verify"


@dataclass(frozen=True)
class Choices:
    """A person's choices for the commands: an export with all wheels, another base image for a build."""

    has_wheelhouse: bool = False
    base_image: str = ""


def arguments(action: Action, target: Target, choices: Choices = Choices()) -> list[str]:
    """Return the arguments of ``byoc-kit``, for the notebook's folder."""
    name = target.notebook.name
    notebook = (
        f"./{name}" if name.startswith("-") else name
    )  # a name that begins with a dash would be read as an option
    if action is Action.FIX:
        return ["check", "--fix", notebook]
    if action is Action.CHECK:
        return ["check", notebook]
    if action is Action.EXPORT:
        return ["export", notebook, *(["--wheelhouse"] if choices.has_wheelhouse else [])]
    base_image = [f"--base-image={choices.base_image}"] if action is Action.BUILD and choices.base_image else []
    return [action.value, str(target.bundle), *base_image]


def shown(arguments: Sequence[str]) -> str:
    """Return the command as a person types it in a shell."""
    return shlex.join(["byoc-kit", *arguments])


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command for a new process, in this environment.

    With ``-P``, a file beside the notebook cannot replace a module; it cannot for the ``byoc-kit`` command either.
    """
    return [sys.executable, "-P", "-m", "byoc_kit", *arguments]


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the kernel's environment as in a terminal: matplotlib's inline backend works only in a kernel."""
    inherited = {
        name: value for name, value in own.items() if name != "MPLBACKEND" or not value.startswith("module://")
    }
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def why_not(action: Action, overview: Overview) -> str:
    """Say what must be done before a step; empty if the step can be taken now."""
    if action is Action.CHECK:
        return ""
    if action is Action.FIX:
        return "" if overview.untagged else "no cell needs a tag"
    if overview.errors:
        return f"fix the {overview.errors} errors first" if overview.errors > 1 else "fix the error first"
    if action is not Action.EXPORT and overview.bundle is BundleState.MISSING:
        return "export first"
    return ""
