"""Buildah, as an engine: it builds where no container can run, such as in a container. It runs no image."""

from __future__ import annotations

import shutil

from byoc_kit.image.engine import BuildPlan, answers, options

NAME = "buildah"


def find() -> bool:
    """Whether its program is on the PATH."""
    return shutil.which(NAME) is not None


def probe() -> str | None:
    """Return why it cannot build here, with the next step; ``None`` if it can."""
    return None if answers([NAME, "info"]) else "Buildah does not work here; see what `buildah info` says"


def argv(plan: BuildPlan) -> list[list[str]]:
    """Return the commands that build an image, then those that push and save it."""
    # The OCI format has no HEALTHCHECK; without --layers, each build begins anew.
    commands = [[NAME, "build", "--format", "docker", "--layers", *options(plan)]]
    if plan.is_pushed:
        commands.append([NAME, "push", plan.tag])
    if plan.save:
        commands.append([NAME, "push", plan.tag, f"docker-archive:{plan.save}:{plan.tag}"])
    return commands
