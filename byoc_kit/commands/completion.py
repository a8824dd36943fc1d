"""``byoc-kit completion``: print a script that makes a shell complete the arguments of ``byoc-kit``."""

from __future__ import annotations

import argparse
import sys

from byoc_kit.commands.arguments import Commands
from byoc_kit.errors import ByocKitError


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("completion", help="print what makes your shell complete byoc-kit's arguments")
    parser.set_defaults(run=_run)
    parser.add_argument("shell", choices=["bash", "zsh"])


def _run(options: argparse.Namespace) -> None:
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError as error:
        msg = "completion needs argcomplete; install it with pip"
        raise ByocKitError(msg) from error

    sys.stdout.write(shellcode(["byoc-kit"], shell=options.shell))
