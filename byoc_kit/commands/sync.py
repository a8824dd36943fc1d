"""``byoc-kit sync``: take edits of a bundle's ``processor.py`` back to its notebook."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from byoc_kit.commands.arguments import BUNDLE, Commands
from byoc_kit.commands.check import warn_if_open


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("sync", help="take edits of a bundle's processor.py back to its notebook")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.sync import SyncError, sync
    from byoc_kit.core.bundle_reader import read_bundle

    try:
        cells, findings, is_written = sync(options.bundle)
    except SyncError as error:
        sys.stderr.write(error.diff)
        raise
    for finding in findings:
        print(finding, file=sys.stderr)
    if cells:
        warn_if_open(read_bundle(options.bundle).notebook)
    said = f"took {', '.join(cell.label for cell in cells)} back" if cells else "nothing to take back"
    stale = ", which was not what the notebook says, is exported again" if is_written and not cells else ""
    print(f"{said}; {options.bundle}{stale}" if stale else f"{said}; notebook and {options.bundle} agree")
