"""Podman, as an engine: no daemon, and no root."""

from __future__ import annotations

import shutil

from byoc_kit.image.engine import BuildPlan, answers, options

NAME = "podman"


def find() -> bool:
    """Whether its program is on the PATH."""
    return shutil.which(NAME) is not None


def probe() -> str | None:
    """Return why it cannot build here, with the next step; ``None`` if it can."""
    return None if answers([NAME, "info"]) else "Podman does not work here; see what `podman info` says"


def argv(plan: BuildPlan) -> list[list[str]]:
    """Return the commands that build an image, then those that push and save it."""
    # The OCI format has no HEALTHCHECK.
    commands = [[NAME, "build", "--format", "docker", *options(plan)]]
    if plan.is_pushed:
        commands.append([NAME, "push", plan.tag])
    if plan.save:
        commands.append([NAME, "save", "--format", "docker-archive", "--output", str(plan.save), plan.tag])
    return commands
