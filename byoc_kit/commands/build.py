"""``byoc-kit build``: build a bundle's image with a container engine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import BUNDLE, Commands, add_base_image

if TYPE_CHECKING:
    from byoc_kit.image.engine import BuildPlan, Engine


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("build", help="build a bundle's image with Docker, Podman or Buildah")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)
    parser.add_argument("--tag", help="the image's name (default: that of aiModels.json)")
    add_base_image(parser)
    engines = ("auto", "docker", "podman", "buildah")
    parser.add_argument(
        "--engine", choices=engines, default="auto", help="what builds (default: the first of them that works here)"
    )
    parser.add_argument("--platform", metavar="OS/ARCH", help="the image's platform, where the engine can build for it")
    parser.add_argument("--push", action="store_true", help="push the image to its registry")
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the image to a file, image.tar")
    parser.add_argument("--max-size", type=_size, metavar="SIZE", help="fail if the image is larger, e.g. than 1.0GB")
    parser.add_argument("--no-smoke", action="store_true", help="do not run the image after the build")
    parser.add_argument("--dry-run", action="store_true", help="print the engine's commands, and run none")


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.announce import image_name
    from byoc_kit.bundle.wheels import missing_wheels, put_kit_wheel
    from byoc_kit.core.bundle_reader import read_bundle
    from byoc_kit.image.build import build_image, check_plan, choose_engine, commands_shown, deliver, indexes, runner
    from byoc_kit.image.engine import BuildPlan, ImageError

    bundle = read_bundle(options.bundle)
    has_all_wheels = not missing_wheels(options.bundle)
    plan = BuildPlan(
        options.bundle,
        options.tag or image_name(bundle.capability),
        base_image=options.base_image,
        no_index=has_all_wheels,
        indexes=() if has_all_wheels else indexes(),
        platform=options.platform,
        is_pushed=options.push,
        save=options.save,
    )
    check_plan(plan)
    engine = choose_engine(options.engine)
    if options.max_size is not None and runner(engine) is None:
        msg = "--max-size needs Docker or Podman, which know an image's size; install podman, or leave it out"
        raise ImageError(msg)
    if options.dry_run:
        print("\n".join(commands_shown(engine, plan)))
        return
    put_kit_wheel(options.bundle)
    build_image(engine, plan, model_id=bundle.model_id)
    _inspect(engine, plan, most=options.max_size, is_run=not options.no_smoke)
    deliver(engine, plan)
    print(f"built {plan.tag}")


def _inspect(engine: Engine, plan: BuildPlan, *, most: int | None, is_run: bool) -> None:
    """Show what the image's size is made of, and run it, before it is handed on."""
    from byoc_kit.image.build import check_built_platform, runner
    from byoc_kit.image.sizes import check_size, measure, table
    from byoc_kit.image.smoke import PICTURES, smoke_run

    program = runner(engine)
    if program is None:
        print(
            "buildah runs no images, and there is no `podman` beside it: the size table and the smoke run are left out"
        )
        return
    check_built_platform(program, plan)
    sizes = measure(program, plan.tag)
    print("\n".join(table(sizes)), flush=True)
    if most is not None:
        check_size(plan.tag, sizes, most)
    if is_run:
        print("smoke run: no network, read-only root, no capabilities ...", flush=True)
        smoke_run(program, plan.tag)
        print(f"smoke run: {PICTURES} pictures came back, and SIGTERM ended it")


def _size(text: str) -> int:
    from byoc_kit.image.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
