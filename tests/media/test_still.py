"""Still pictures, as telephones, cameras and programs write them."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from byoc_kit.media.demux import MediaError
from byoc_kit.media.still import (
    MOST_STILL_PIXELS,
    Still,
    TooManyPixelsError,
    UnknownFormatError,
    UnwritableError,
    read_still,
)

ORIENTATION = 274
FORMATS = ("JPEG", "PNG", "WEBP")


def bars():
    """Return a picture that is red on the left and blue on the right, of an odd size."""
    pixels = np.zeros((31, 65, 3), np.uint8)
    pixels[:, :32, 0] = 200
    pixels[:, 32:, 2] = 200
    return Image.fromarray(pixels)


def file_of(image, format_, **options):
    image.save(file := BytesIO(), format_, **options)
    return file.getvalue()


@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_is_read_and_written(format_):
    still = read_still(file_of(bars(), format_, quality=95))
    assert still.format == format_
    assert np.abs(still.pixels.astype(int) - np.asarray(bars()).astype(int)).mean() < 3
    again = read_still(still.written(255 - still.pixels, format_))
    assert again.format == format_
    assert np.abs(again.pixels.astype(int) - (255 - still.pixels.astype(int))).mean() < 3


def test_a_png_keeps_every_pixel():
    still = read_still(file_of(bars(), "PNG"))
    assert (read_still(still.written(still.pixels, "PNG")).pixels == np.asarray(bars())).all()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_is_turned_as_its_camera_says_and_goes_out_upright(format_):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees, clockwise
    still = read_still(file_of(bars(), format_, exif=exif))
    assert still.pixels.shape == (65, 31, 3)
    top, bottom = still.pixels[4, 16], still.pixels[-4, 16]
    assert top[0] > 150 > top[2]
    assert bottom[2] > 150 > bottom[0]
    with Image.open(BytesIO(still.written(still.pixels, format_))) as again:
        assert again.size == (31, 65)
        assert ORIENTATION not in again.getexif()


GREY = np.full((8, 16), 100, np.uint8)
MODES = {
    "gray": Image.fromarray(GREY),
    "gray of 16 bits": Image.fromarray(np.full((8, 16), 100 << 8, np.uint16)),
    "gray with alpha": Image.merge("LA", [Image.fromarray(GREY), Image.new("L", (16, 8), 255)]),
    "a palette": Image.fromarray(GREY).convert("RGB").quantize(4),
    "alpha": Image.new("RGBA", (16, 8), (100, 100, 100, 255)),
}


@pytest.mark.parametrize("mode", MODES)
def test_whatever_the_file_has_becomes_rgb(mode):
    assert read_still(file_of(MODES[mode], "PNG")).pixels.tolist() == np.full((8, 16, 3), 100).tolist()


def test_a_jpeg_of_a_printer_becomes_rgb():
    pixels = read_still(file_of(Image.new("CMYK", (16, 8), (0, 0, 0, 155)), "JPEG")).pixels
    assert np.abs(pixels.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_transparent_parts_are_black(format_):
    image = Image.new("RGBA", (16, 8), (200, 100, 50, 0))
    assert read_still(file_of(image, format_, **({"exact": True} if format_ == "WEBP" else {}))).pixels.max() == 0


def test_the_colours_that_rgb_means_are_kept():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format_ in FORMATS:
        still = read_still(file_of(bars(), format_, icc_profile=profile))
        with Image.open(BytesIO(still.written(still.pixels, format_))) as again:
            assert again.info["icc_profile"] == profile
    gray = read_still(file_of(Image.fromarray(GREY), "PNG", icc_profile=profile))
    assert gray.profile is None  # it is of gray, and what goes out is not


def test_of_an_animation_the_first_picture_is_read():
    first, second = (Image.new("RGB", (16, 8), colour) for colour in ("red", "blue"))
    for format_ in ("PNG", "WEBP"):
        data = file_of(first, format_, save_all=True, append_images=[second], lossless=True)
        assert read_still(data).pixels[0, 0].tolist() == [255, 0, 0]


def test_a_telephones_jpeg_with_more_pictures_behind_it_is_a_jpeg():
    assert read_still(file_of(bars(), "MPO", save_all=True, append_images=[bars()])).format == "JPEG"


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"text", bytes(1000), file_of(bars(), "GIF"), file_of(bars(), "TIFF")]
)
def test_what_is_none_of_the_formats_is_refused(data):
    with pytest.raises(UnknownFormatError, match=r"^is no JPEG, PNG or WebP$"):
        read_still(data)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_that_is_cut_is_damaged(format_):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = file_of(noise, format_, quality=95)
    with pytest.raises(MediaError, match=r"^is damaged \(.+\)$") as raised:
        read_still(data[: len(data) // 2])
    assert type(raised.value) is MediaError


def png_that_says(width, height):
    """Return a PNG of a few bytes that says it is large, and is not."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(5001, 5000), (10_000, 10_000), (60_000, 60_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(size, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it is decoded"))
    with pytest.raises(TooManyPixelsError, match=r"large; send one of 25 megapixels at most$"):
        read_still(png_that_says(*size))


def test_the_largest_picture_is_read():
    with pytest.raises(MediaError, match="is damaged"):
        read_still(png_that_says(5000, MOST_STILL_PIXELS // 5000))


def test_a_size_that_a_format_does_not_have_is_said():
    still = Still(np.zeros((1, 1, 3), np.uint8), "PNG")
    with pytest.raises(UnwritableError, match=r"^16384x1 pixels cannot be written as WEBP "):
        still.written(np.zeros((1, 16_384, 3), np.uint8), "WEBP")
