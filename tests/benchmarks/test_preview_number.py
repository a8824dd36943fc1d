import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.preview_number import BITS, BLOCKS, STRIP, coded, stamp

NOISE = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)


def read(pixels):
    """Read as the page does: the middle of each block."""
    height, width = pixels.shape[:2]
    row = pixels[round(height * STRIP / 2)]
    bits = ["1" if row[round((block + 0.5) * width / BLOCKS), 1] > 127 else "0" for block in range(BLOCKS)]
    code = int("".join(bits), 2)
    return code >> 8 if coded(code >> 8) == code else None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**BITS - 1))
def test_a_number_survives_scaling_and_jpeg(number):
    pixels = NOISE.copy()
    stamp(pixels, number)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((640, 360), Image.Resampling.BILINEAR).save(file, "JPEG", quality=60)
    assert read(np.asarray(Image.open(file))) == number


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_picture_without_a_number_has_none(grey):
    assert read(np.full((360, 640, 3), grey, np.uint8)) is None


def test_only_the_top_of_the_picture_is_marked():
    pixels = np.full((720, 1280, 3), 7, np.uint8)
    stamp(pixels, 5)
    assert (pixels[40:] == 7).all()
    assert set(np.unique(pixels[:40])) == {0, 255}
