"""Builds a bundle's image: chooses an engine, runs its commands, and explains its failures."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

from byoc_kit.image import buildah, docker, podman
from byoc_kit.image.engine import BuildPlan, Engine, ImageError, check_name, check_platform
from byoc_kit.image.failures import advice
from byoc_kit.image.leftovers import BuiltImages
from byoc_kit.system.processes import Tail, run_shown

_TAIL = 15
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
AUTO = "auto"
ENGINES: dict[str, Engine] = {engine.NAME: engine for engine in (docker, podman, buildah)}


def choose_engine(name: str = AUTO) -> Engine:
    """Return the engine of this name, or the first that works here. Raises ``ImageError`` if there is none."""
    found = [engine for engine in ENGINES.values() if name in {AUTO, engine.NAME} and engine.find()]
    reasons = []
    for engine in found:
        if (reason := engine.probe()) is None:
            return engine
        reasons.append(reason)
    if reasons:
        raise ImageError(reasons[0])
    if name == AUTO:
        msg = f"there is no {' or '.join(f'`{one}`' for one in ENGINES)} on the PATH; install one of them"
    else:
        msg = f"there is no `{name}` on the PATH; install it, or let `--engine auto` choose another"
    raise ImageError(msg)


def runner(engine: Engine) -> str | None:
    """Return the program that runs the engine's images: Podman runs those of Buildah. ``None`` if there is none."""
    if engine.NAME != buildah.NAME:
        return engine.NAME
    return podman.NAME if podman.find() else None


def indexes() -> tuple[str, ...]:
    """Return the names of the environment's variables that name pip's indexes: PyTorch has one for each device."""
    return tuple(name for name in _INDEXES if os.environ.get(name))


def check_plan(plan: BuildPlan) -> None:
    """Raise ``ImageError`` for what no engine can build or save, before anything is done."""
    check_name(plan.tag)
    if plan.base_image:
        check_name(plan.base_image.partition("@")[0])
    if plan.platform:
        check_platform(plan.platform)
    if plan.save and (plan.save.is_dir() or not os.access(plan.save.absolute().parent, os.W_OK)):
        msg = f"cannot write {plan.save}; let --save name a file in a folder that you may write to"
        raise ImageError(msg)


def commands_shown(engine: Engine, plan: BuildPlan) -> list[str]:
    """Return the commands of a plan as a person would type them."""
    return [shlex.join(command) for command in engine.argv(plan)]


def build_image(engine: Engine, plan: BuildPlan, *, model_id: str) -> None:
    """Build the image; the engine's output goes to stderr. Raises ``ImageError`` where it fails.

    The stages of the build, which are the next one's cache, stay under a name; no untagged image does.
    """
    built = BuiltImages(engine.NAME, model_id, plan.tag)
    is_built = False
    try:
        _run_and_show(engine.argv(plan)[0], hear=built.hear, has_wheels=plan.no_index)
        is_built = True
    finally:
        built.tidy(is_cache=is_built)


def check_built_platform(program: str, plan: BuildPlan) -> None:
    """Raise ``ImageError`` if the image is not of the platform asked for: Docker takes any base of that name."""
    if plan.platform is None:
        return
    command = [program, "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", plan.tag]
    built = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if built != "/".join(plan.platform.split("/")[:2]):
        msg = (
            f"{plan.tag} is built for {built}, not for {plan.platform}; name a base of that platform with --base-image"
        )
        raise ImageError(msg)


def deliver(engine: Engine, plan: BuildPlan) -> None:
    """Push and save an image that is built, as the plan says. Raises ``ImageError``; no half file is left."""
    if plan.save is None:
        part = None
    else:
        part = plan.save.with_name(f".{plan.save.name}.part")
        part.unlink(missing_ok=True)  # of a build that was killed; Podman adds to no file
    try:
        for command in engine.argv(replace(plan, save=part))[1:]:
            _run_and_show(command)
        if part and plan.save:
            part.replace(plan.save)
    finally:
        if part:
            part.unlink(missing_ok=True)


def pull(image: str) -> None:
    """Pull an image with Docker. Raises ``ImageError``."""
    _run_and_show(["docker", "pull", image])


def _run_and_show(command: list[str], *, hear: Callable[[str], None] | None = None, has_wheels: bool = False) -> None:
    """Run a command with its output on stderr, and give each line of it to ``hear``.

    Raises ``ImageError`` with its exit code, a likely cause and the next step, as the last text that a reader sees.
    """
    log = Tail(_TAIL)

    def show(line: str) -> None:
        sys.stderr.write(line)
        if hear is not None:
            hear(line)

    code = run_shown(command, log, show)
    if code:
        engine, action, *_ = command
        said = "\n".join(log.lines)
        msg = f"{engine} {action} ended with exit code {code}; {advice(engine, said, has_wheels=has_wheels)}"
        raise ImageError(msg)
