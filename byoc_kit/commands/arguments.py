"""Arguments that several commands take, and the functions that read their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

N = TypeVar("N", int, float)
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # it has no public name

LAST_PORT = 65_535
BUNDLE = "what `export` has written, e.g. export/NAME"
NOTEBOOK = "an .ipynb with cells tagged `byoc`"
GPUS = "the GPUs that an image gets, as `docker run --gpus` takes them, e.g. all"


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--output``, the bundle's folder."""
    where = "the bundle's folder (default: export/NAME, beside other bundles above the notebook, else here)"
    parser.add_argument("-o", "--output", type=Path, help=where)


def add_base_image(parser: argparse.ArgumentParser) -> None:
    """Add ``--base-image``, what an image is built from."""
    base = "a base with the bundle's Python (default: the environment variable BASE_IMAGE, else the Dockerfile's)"
    parser.add_argument("--base-image", default=os.environ.get("BASE_IMAGE") or None, help=base)


def add_address(parser: argparse.ArgumentParser, *, port: int) -> None:
    """Add ``--host`` and ``--port``, where to listen."""
    host = "the address to listen on; 0.0.0.0 means all of this machine's (default: %(default)s)"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    any_port = "the TCP port to listen on; 0 chooses a free one (default: %(default)s)"
    parser.add_argument("--port", type=number(int, 0, LAST_PORT), default=port, metavar="PORT", help=any_port)


def number(kind: type[N], least: float, most: float) -> Callable[[str], N]:
    """Return a function that reads an argument as a number within a range."""

    def read(text: str) -> N:
        with suppress(ValueError):
            if least <= (given := kind(text)) <= most:
                return given
        msg = f"{text} is not a {'whole ' if kind is int else ''}number from {least:g} to {most:g}"
        raise argparse.ArgumentTypeError(msg)

    return read


def http_url(text: str) -> str:
    """Read an argument as an HTTP URL."""
    if not text.startswith(("http://", "https://")):
        msg = f"{text} is not an http:// or https:// URL"
        raise argparse.ArgumentTypeError(msg)
    return text
