"""The ``byoc-kit`` command."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from collections.abc import Sequence

from byoc_kit import __version__
from byoc_kit.commands import (
    build,
    check,
    completion,
    demo,
    export,
    models,
    network,
    register,
    serve,
    sync,
    verify,
    watch,
)
from byoc_kit.errors import ByocKitError

BAD_INPUT = 2

# In the order in which they are used, and in which --help lists them.
_COMMANDS = (check, export, sync, serve, watch, build, verify, models, register, network, demo, completion)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 if a check failed, or 2 for bad input, with the reason on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 gets escapes
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if "_ARGCOMPLETE" in os.environ:  # the shell asks for completions, see `byoc-kit completion`
        import argcomplete

        argcomplete.autocomplete(parser)
    _suggest_command(parser, arguments)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except ByocKitError as error:
        from byoc_kit.errors import printable

        said = "\n".join(map(printable, str(error).split("\n")))
        print(f"byoc-kit: {said}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130


def _suggest_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Exit and suggest a command if the given name is close to one."""
    names = list(parser.get_default("commands"))
    given = arguments[0] if arguments else ""
    if given.startswith("-") or given in names:
        return
    if near := difflib.get_close_matches(given, names, n=1):
        parser.error(f"there is no command {given}; did you mean {near[0]}?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="byoc-kit", description="From process_frame in a notebook to a live stream.")
    parser.add_argument("--version", action="version", version=f"byoc-kit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser.set_defaults(commands=commands.choices)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
