"""What an image's size is made of: its layers, and the Python packages in them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from byoc_kit.image.engine import ImageError
from byoc_kit.system.table import aligned

_LARGEST = 10
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?B?)")
_WIDEST = 70
_SHELL = re.compile(r"^/bin/sh -c (?:#\(nop\) +)?")
_HASH = re.compile(r"(?:dir|multi|file):[0-9a-f]{64}")
# A package's files are those that its RECORD names.
_ASK_PACKAGES = """\
import os
from importlib.metadata import distributions
for one in distributions():
    files = (one.locate_file(file) for file in one.files or ())
    print(sum(os.lstat(file).st_size for file in files if os.path.lexists(file)), one.name)
"""


@dataclass(frozen=True)
class Part:
    """A layer or a package, and its size in bytes."""

    size: int
    name: str


@dataclass(frozen=True)
class Sizes:
    """An image's size in bytes, its layers from the base up, and its packages, the largest first."""

    total: int
    layers: tuple[Part, ...]
    packages: tuple[Part, ...]


def parse_size(text: str) -> int:
    """Return the bytes of a size such as 1.0GB or 900 MB, in powers of 1000. Raises ``ValueError``."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        msg = f"{text} is not a size such as 1.0GB or 900MB"
        raise ValueError(msg)
    unit = found[2].upper()
    return round(float(found[1]) * _UNITS[unit if unit in _UNITS else f"{unit}B"])


def shown(size: int) -> str:
    """Return a size as a person reads it."""
    return f"{size / 10**9:.2f} GB" if size >= 10**9 else f"{size / 10**6:.1f} MB"


def measure(engine: str, image: str) -> Sizes:
    """Ask docker or podman for an image's sizes. Raises ``ImageError`` if it does not say them."""
    total = int(_ask([engine, "image", "inspect", "--format", "{{.Size}}", image]))
    history = [engine, "history", "--human=false", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", image]
    layers = [line.partition("\t") for line in _ask(history).splitlines()]
    run = [engine, "run", "--rm", "--network", "none", "--no-healthcheck", image, "python3", "-c", _ASK_PACKAGES]
    packages = [line.partition(" ") for line in _ask(run).splitlines()]
    return Sizes(
        total,
        tuple(Part(parse_size(size), _made_by(how)) for size, _, how in reversed(layers)),
        tuple(sorted((Part(int(size), name) for size, _, name in packages), key=lambda part: (-part.size, part.name))),
    )


def table(sizes: Sizes) -> list[str]:
    """Return the lines of a table of the layers that have a size, and of the largest packages."""
    layers = [[shown(part.size), part.name] for part in sizes.layers if part.size >= 10**5]
    packages = [[shown(part.size), part.name] for part in sizes.packages[:_LARGEST]]
    if rest := sizes.packages[_LARGEST:]:
        packages.append([shown(sum(part.size for part in rest)), f"{len(rest)} other packages"])
    return [
        *aligned([["size", "layer"], *layers, [shown(sizes.total), "the image"]], right={0}),
        "",
        *aligned([["size", "package"], *packages], right={0}),
    ]


def check_size(image: str, sizes: Sizes, most: int) -> None:
    """Raise ``ImageError`` if an image is larger than ``most`` bytes."""
    if sizes.total > most:
        largest = ", ".join(f"{part.name} {shown(part.size)}" for part in sizes.packages[:3])
        msg = f"{image} is {shown(sizes.total)}, more than the {shown(most)} of --max-size; its largest packages are "
        msg += f"{largest}; leave out what the notebook can do without, or allow more"
        raise ImageError(msg)


def _made_by(how: str) -> str:
    """Return what made a layer, as in the Dockerfile."""
    text = " ".join(_HASH.sub("files", _SHELL.sub("", how)).split()) or "the base image"
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}..."


def _ask(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())
        msg = (
            f"{' '.join(command[:2])} ended with exit code {done.returncode}: {said}; the image is built, its size is "
        )
        msg += "not known"
        raise ImageError(msg)
    return done.stdout
