"""Still pictures: read as uint8 RGB, and written as JPEG, PNG or WebP.

Pillow does it, which pytrickle brings along. It is imported where it is used.
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
"""The largest picture that is read: a camera's, 75 MB of pixels. A file of a few bytes may say that it has more."""

MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""What is written, by Pillow's name of the format."""

_SAVED_WITH: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"quality": 95}}
_SAME_AS = {"MPO": "JPEG"}  # as telephones write it: a JPEG with more pictures behind it
_16_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N")


class UnknownFormatError(MediaError):
    """Bytes that are none of the formats that are read."""


class TooManyPixelsError(MediaError):
    """A picture that would take too much memory."""


class UnwritableError(ByocKitError):
    """Pixels that a format has no picture for."""


@dataclass(frozen=True)
class Still:
    """A picture as it was read. ``format`` is Pillow's name; ``profile`` says which colours its RGB means."""

    pixels: Pixels
    format: str
    profile: bytes | None = None

    def written(self, pixels: Pixels, wanted: str) -> bytes:
        """Return other pixels as a file of the wanted format, in the colours of this picture.

        Raises ``UnwritableError`` where that format has no picture of such a size.
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
    """Read a JPEG, PNG or WebP as ``upright_rgb`` does; of several pictures in it, the first.

    Raises ``UnknownFormatError`` for anything else, ``TooManyPixelsError`` before a large one is decoded, and
    ``MediaError`` for one that is damaged.
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
    """Return a picture as 8-bit RGB: turned as its EXIF says, and black where it is transparent."""
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
        raise _too_many_pixels(f"is {width}x{height} pixels large")


def _too_many_pixels(said: str = "is far too large") -> TooManyPixelsError:
    return TooManyPixelsError(f"{said}; send one of {MOST_STILL_PIXELS // 1_000_000} megapixels at most")
