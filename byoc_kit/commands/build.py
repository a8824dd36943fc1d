"""``byoc-kit build``: build a bundle's image with Docker."""

from __future__ import annotations

import argparse
from pathlib import Path

from byoc_kit.commands.arguments import BUNDLE, Commands, add_base_image


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("build", help="build a bundle's image with Docker")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)
    parser.add_argument("--tag", help="the image's name (default: that of aiModels.json)")
    add_base_image(parser)


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.announce import image_name
    from byoc_kit.bundle.wheels import missing_wheels, put_kit_wheel
    from byoc_kit.core.bundle_reader import read_bundle
    from byoc_kit.image.docker import build_image

    bundle = read_bundle(options.bundle)
    tag = options.tag or image_name(bundle.capability)
    put_kit_wheel(options.bundle)
    no_index = not missing_wheels(options.bundle)
    build_image(options.bundle, model_id=bundle.model_id, tag=tag, base_image=options.base_image, no_index=no_index)
    print(f"built {tag}")
