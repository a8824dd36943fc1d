"""Reads a folder of pictures as frames."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.media.clip import check_number
from byoc_kit.media.demux import MediaError
from byoc_kit.media.still import upright_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


class ImageFolder:
    """The pictures of a folder (png, jpg, webp, bmp, tif), each as one frame, ``img2`` before ``img10``.

    All frames have the size of the first picture. Pictures of other sizes are scaled to fit, with black bars to keep
    their shape. A camera's rotation (EXIF) is applied, transparent parts become black, and only the first page of a
    file is read. Raises ``MediaError`` if there is no picture, or if one cannot be read.
    """

    def __init__(self, folder: str | Path, *, fps: float = 25.0) -> None:
        folder = Path(folder)
        self._files = image_files(folder)
        if not self._files:
            *names, last = sorted(suffix[1:] for suffix in IMAGE_SUFFIXES)
            msg = f"there is no picture in the folder {folder}; put some there ({', '.join(names)} or {last})"
            raise MediaError(msg)
        self.count = len(self._files)
        self.fps = fps
        self.name = f"{folder.resolve().name}/ ({self.count} picture{'s' if self.count > 1 else ''})"
        self._time_base = 1 / Fraction(fps).limit_denominator(1001)
        self._size = _read(self._files[0]).size

    def time_s(self, number: int) -> float:
        """See ``ClipSource.time_s``."""
        if number < 0:
            check_number(number, self.count)
        return float(min(number, self.count) * self._time_base)

    def frames(self, start: int = 0) -> Generator[VideoFrame]:
        """See ``ClipSource.frames``."""
        check_number(start, self.count)
        return self._frames(start)

    def _frames(self, start: int) -> Generator[VideoFrame]:
        for number in range(start, self.count):
            yield VideoFrame.from_pixels(_fitted(_read(self._files[number]), self._size), number, self._time_base)


def image_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder, ``img2`` before ``img10``; those in its subfolders are left out."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_image(entry)]
    return [folder / name for name in sorted(names, key=_counting)]


def is_image(entry: os.DirEntry[str]) -> bool:
    """Whether a file's name is that of a picture; hidden files do not count."""
    is_named_so = os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122  # quick, for large folders
    return is_named_so and not entry.name.startswith(".") and entry.is_file()


def _counting(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts ``img2`` before ``img10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts], name


def _read(file: Path) -> Image:
    """Read a picture as 8-bit RGB, upright. Raises ``MediaError``, naming it."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a strange tag, or of a large picture
            with Image.open(file) as opened:
                return upright_rgb(opened)
    except Exception as error:  # Pillow's readers raise many kinds of errors for damaged files
        reason = str(error) or type(error).__name__
        msg = f"{file} cannot be read as a picture ({reason}); repair it or remove it from the folder"
        raise MediaError(msg) from error


def _fitted(image: Image, size: tuple[int, int]) -> Pixels:
    from PIL import ImageOps

    fitted = image if image.size == size else ImageOps.pad(image, size)
    return np.array(fitted, np.uint8)  # a copy: callers may write into it
