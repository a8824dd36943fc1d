"""Reads and writes pictures without loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from byoc_kit.core.frames import Pixels


def write_png(pixels: Pixels, path: Path) -> None:
    """Write uint8 ``[H, W, 3]`` pixels. Raises ``OSError``."""
    Image.fromarray(pixels).save(path)


def read_png(path: Path) -> Pixels:
    """Read uint8 ``[H, W, 3]`` pixels. Raises ``OSError``, also for a file that is not a picture."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (SyntaxError, ValueError) as error:  # Pillow raises this for a truncated file
        msg = f"{path.name}: {error}"
        raise OSError(msg) from error
