"""The Docker engine, with its classic builder or BuildKit."""

from __future__ import annotations

import shutil

from byoc_kit.image.engine import BuildPlan, answers, options

NAME = "docker"


def find() -> bool:
    """Whether its program is on the PATH."""
    return shutil.which(NAME) is not None


def probe() -> str | None:
    """Return why it cannot build here, with the next step; ``None`` if it can."""
    if answers([NAME, "info", "--format", "{{.ServerVersion}}"]):
        return None
    return "the Docker engine does not answer; start it, and see what `docker info` says"


def argv(plan: BuildPlan) -> list[list[str]]:
    """Return the commands that build an image, then those that push and save it."""
    commands = [[NAME, "build", "--force-rm", *options(plan)]]
    if plan.is_pushed:
        commands.append([NAME, "push", plan.tag])
    if plan.save:
        commands.append([NAME, "save", "--output", str(plan.save), plan.tag])
    return commands
