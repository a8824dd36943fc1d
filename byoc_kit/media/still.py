"""Reads still pictures as uint8 RGB, and writes them as JPEG, PNG or WebP.

It uses Pillow, which pytrickle depends on. Pillow is imported where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from byoc_kit.core.pixels import Pixels
from byoc_kit.errors import ByocKitError, text_of
from byoc_kit.media.demux import MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_STILL_PIXELS = 25_000_000
"""The largest picture that is read. This is a camera's, 75 MB of pixels; a file of a few bytes can claim more."""

MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""The formats that are written, by Pillow's names."""

_SAVED_WITH: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"quality": 95}}
_SAME_AS = {"MPO": "JPEG"}  # from phones: a JPEG, with more pictures after it
_16_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N")


class UnknownFormatError(MediaError):
    """Bytes are in none of the formats that are read."""


class TooManyPixelsError(MediaError):
    """A picture would take too much memory."""


class UnwritableError(ByocKitError):
    """Pixels cannot be written in a format."""


@dataclass(frozen=True)
class Still:
    """A picture as it was read. ``format`` is Pillow's name for it; ``profile`` is the colour profile of its RGB."""

    pixels: Pixels
    format: str
    profile: bytes | None = None

    def written(self, pixels: Pixels, wanted: str) -> bytes:
        """Return other pixels as a file of the wanted format, with the colour profile of this picture.

        Raises ``UnwritableError`` if that format has no pictures of this size.
        """
        from PIL import Image

        file = BytesIO()
        try:
            Image.fromarray(pixels).save(file, wanted, icc_profile=self.profile, **_SAVED_WITH[wanted])
        except (OSError, ValueError) as error:
            height, width = pixels.shape[:2]
            msg = f"{width}x{height} pixels cannot be written as {wanted} ({text_of(error)})"
            raise UnwritableError(msg) from error
        return file.getvalue()


def read_still(data: bytes) -> Still:
    """Read the first picture of a JPEG, PNG or WebP as ``upright_rgb`` returns it.

    Raises ``UnknownFormatError`` for another format, ``TooManyPixelsError`` for a large picture, before it is decoded,
    and ``MediaError`` for a damaged one.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data), formats=tuple(MEDIA_TYPES)) as opened:
            _check_size(opened.width, opened.height)
            profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA") else None
            pixels = np.array(upright_rgb(opened), np.uint8)
            return Still(pixels, _SAME_AS.get(str(opened.format), str(opened.format)), profile)
    except UnidentifiedImageError:
        msg = "is no JPEG, PNG or WebP"
        raise UnknownFormatError(msg) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except MediaError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds of errors for damaged files
        msg = f"is damaged ({text_of(error) or type(error).__name__})"
        raise MediaError(msg) from error


def upright_rgb(image: Image) -> Image:
    """Return a picture as 8-bit RGB: turned upright by its EXIF, and with black for transparent parts."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in _16_BIT_MODES:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_STILL_PIXELS:
        msg = f"is {width}x{height} pixels large"
        raise _too_many_pixels(msg)


def _too_many_pixels(said: str = "is far too large") -> TooManyPixelsError:
    return TooManyPixelsError(f"{said}; send one of {MOST_STILL_PIXELS // 1_000_000} megapixels at most")
