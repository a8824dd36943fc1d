"""``byoc-kit demo``: take a notebook from export to image, with the commands that a person would type."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from byoc_kit.commands.arguments import NOTEBOOK, Commands, add_base_image
from byoc_kit.system.table import aligned

_FELL_SHORT = 1


@dataclass(frozen=True)
class Step:
    """One command of ``byoc-kit``, and the files to look at after it."""

    title: str
    arguments: tuple[str, ...]
    outcome: Path


@dataclass(frozen=True)
class Row:
    """One line of the closing table."""

    title: str
    result: str
    outcome: str = ""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="do all steps: export, verify, build, verify the image")
    parser.set_defaults(run=lambda options: demo(options.notebook, base_image=options.base_image))
    parser.add_argument("notebook", type=Path, help=NOTEBOOK)
    add_base_image(parser)


def demo(notebook: Path, *, base_image: str | None = None) -> int:
    """Export a notebook, verify the bundle, then build and verify its image; prints a table of the steps.

    Without a Docker engine or a base image, the image is left out, and the table says why. Returns 0, or the exit code
    of a step that failed; no step follows it.
    """
    from byoc_kit.bundle.dockerfile import default_base
    from byoc_kit.image.container import require_base_image
    from byoc_kit.image.engine import ImageError

    local, image = plan_steps(notebook, base_image=base_image)
    count = len(local) + len(image)
    rows: list[Row] = []
    code = _run(local, rows, first=1, count=count)
    if code <= _FELL_SHORT:
        try:
            require_base_image(base_image or default_base())
        except ImageError as error:
            _say(f"\n[{len(local) + 1}-{count}/{count}] left out: {error}")
            reason = str(error).partition(";")[0]
            rows += [Row(step.title, f"left out: {reason}") for step in image]
        else:
            code = max(code, _run(image, rows, first=len(local) + 1, count=count))
    _print_table(rows)
    return code


def plan_steps(notebook: Path, *, base_image: str | None) -> tuple[list[Step], list[Step]]:
    """Return the steps that run anywhere, and those that need Docker.

    The image is built from wheels that this machine's pip collects, so the build works if pip works here.
    """
    from byoc_kit.bundle.folders import bundle_folder, report_folder

    bundle = bundle_folder(notebook)
    reports = report_folder(bundle).parent
    base = ("--base-image", base_image) if base_image else ()
    return (
        [
            Step("export the notebook", ("export", str(notebook)), bundle),
            _verify_step("verify the bundle, served here", bundle, reports / notebook.stem),
        ],
        [
            Step("collect the wheels of its image", ("export", str(notebook), "--wheelhouse"), bundle / "wheels"),
            Step("build its image", ("build", str(bundle), *base), bundle / "Dockerfile"),
            _verify_step("verify its image", bundle, reports / f"{notebook.stem}_image", "--image", "--skip-server"),
        ],
    )


def _verify_step(title: str, bundle: Path, report: Path, *options: str) -> Step:
    return Step(title, ("verify", str(bundle), "--report", str(report), *options), report / "report.html")


def _run(steps: list[Step], rows: list[Row], *, first: int, count: int) -> int:
    """Run the steps in order until one fails; returns the highest exit code."""
    worst = 0
    for number, step in enumerate(steps, first):
        _say(f"\n[{number}/{count}] {step.title}: byoc-kit {shlex.join(step.arguments)}")
        started_s = time.monotonic()
        code = subprocess.run([sys.executable, "-m", "byoc_kit.cli", *step.arguments], check=False).returncode
        took_s = time.monotonic() - started_s
        worst = max(worst, abs(code))
        if abs(code) > _FELL_SHORT:
            rows.append(Row(step.title, f"failed with exit code {code}"))
            break
        rows.append(Row(step.title, f"{'fell short' if code else 'done'} in {took_s:.0f} s", str(step.outcome)))
    return worst


def _print_table(rows: list[Row]) -> None:
    lines = aligned([text for text in astuple(row) if text] for row in rows)
    _say("\n".join(["", *lines]))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # the steps write to the same terminal
