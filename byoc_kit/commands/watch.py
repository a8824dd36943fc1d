"""``byoc-kit watch``: serve a notebook, and each change of it as soon as it is saved."""

from __future__ import annotations

import argparse
from pathlib import Path

from byoc_kit.commands.arguments import NOTEBOOK, Commands, add_address, add_output


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("watch", help="serve a notebook, and each change as soon as it is saved")
    parser.set_defaults(run=_run)
    parser.add_argument("notebook", type=Path, help=NOTEBOOK)
    add_output(parser)
    add_address(parser, port=8000)


def _run(options: argparse.Namespace) -> int:
    from byoc_kit.bundle.folders import target_of
    from byoc_kit.commands.watching import watch

    target = target_of(options.notebook, options.output)
    return watch(options.notebook, target, host=options.host, port=options.port)
