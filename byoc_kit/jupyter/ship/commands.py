"""What the buttons run: the commands that a person would type."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum

from byoc_kit.jupyter.ship.overview import BundleState, Overview, Target


class Action(StrEnum):
    """A step that has a button; its value is the command's name."""

    CHECK = "check"
    EXPORT = "export"
    BUILD = "build"
    SERVE = "serve"
    VERIFY = "verify"


def arguments(action: Action, target: Target) -> list[str]:
    """Return the arguments of ``byoc-kit``, for the notebook's folder."""
    if action in {Action.CHECK, Action.EXPORT}:
        # A dash at its beginning would make it an option.
        name = target.notebook.name
        return [action.value, f"./{name}" if name.startswith("-") else name]
    return [action.value, str(target.bundle)]


def shown(arguments: Sequence[str]) -> str:
    """Return the command as a person types it in a shell."""
    return shlex.join(["byoc-kit", *arguments])


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command that a process is started with: :mod:`byoc_kit.jupyter.ship.child`, in this environment.

    ``-P``: a file beside the notebook must not stand for a module, and does not for the ``byoc-kit`` command either.
    """
    return [sys.executable, "-P", "-m", "byoc_kit.jupyter.ship.child", str(os.getpid()), *arguments]


def why_not(action: Action, overview: Overview) -> str:
    """Say what has to be done before a step; empty where it can be taken."""
    if action is Action.CHECK:
        return ""
    if overview.errors:
        return f"fix the {overview.errors} errors first" if overview.errors > 1 else "fix the error first"
    if action is not Action.EXPORT and overview.bundle is BundleState.MISSING:
        return "export first"
    return ""
