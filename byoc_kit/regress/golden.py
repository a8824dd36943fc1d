"""Golden frames in a folder: a PNG each, which a review shows, and ``golden.json``, which says how they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import Pixels

MANIFEST = "golden.json"


class RegressionError(ByocKitError):
    """Golden frames that cannot be read, or a processor that does not meet them."""


@dataclass(frozen=True)
class Golden:
    """Pictures by their frame's number in the clip (from 0), and what they were made with.

    The clip was scaled to ``width`` pixels a row; every ``every``-th frame is kept.
    """

    clip: str
    clip_sha256: str
    width: int
    every: int
    params: Mapping[str, Any]
    pictures: Mapping[int, Pixels]

    def require_clip(self, path: Path | str) -> None:
        """Raise :class:`RegressionError` if the frames were made of another clip than ``path``."""
        if clip_sha256(path) != self.clip_sha256:
            msg = f"{path} is not the {self.clip} that the golden frames were made of; give that clip, or record anew"
            raise RegressionError(msg)


def save_golden(golden: Golden, folder: Path | str) -> None:
    """Write golden frames, without loss, in place of those that the folder has."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for number, pixels in golden.pictures.items():
        Image.fromarray(pixels).save(folder / f"{number:05}.png", optimize=True)
    manifest = {
        "clip": golden.clip,
        "clip_sha256": golden.clip_sha256,
        "width": golden.width,
        "every": golden.every,
        "params": dict(golden.params),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def load_golden(folder: Path | str) -> Golden:
    """Read golden frames. Raises :class:`RegressionError` if they are missing or damaged."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        msg = f"there are no golden frames in {folder}; make them with byoc_kit.regress.record_golden"
        raise RegressionError(msg)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        golden = Golden(**manifest, pictures={int(path.stem): _read_png(path) for path in sorted(folder.glob("*.png"))})
    except (OSError, ValueError, TypeError) as error:
        msg = f"the golden frames in {folder} are damaged ({error}); restore them, or record them anew"
        raise RegressionError(msg) from error
    if not golden.pictures:
        msg = f"{folder} has a {MANIFEST} and no picture; restore them, or record them anew"
        raise RegressionError(msg)
    return golden


def clip_sha256(path: Path | str) -> str:
    """Return a clip's hash. Raises :class:`RegressionError` if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        msg = f"cannot read the clip {path}: {error.strerror}"
        raise RegressionError(msg) from error


def _read_png(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
