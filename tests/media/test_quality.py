import math

import numpy as np
import pytest

from byoc_kit.media.quality import compare


def picture(value, *, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


def test_equal_pictures_have_infinite_psnr_and_ssim_1():
    [quality] = compare([(picture(90), picture(90))])
    assert math.isinf(quality.psnr_db)
    assert quality.ssim == pytest.approx(1)


def test_psnr_is_what_its_definition_says():
    # Grey 100 and 101 differ by 1 or less in luma and not in chroma: at least 10 log10(255^2 / 1) dB.
    [quality] = compare([(picture(100), picture(101))])
    assert 10 * math.log10(255**2) <= quality.psnr_db < math.inf


def test_the_worse_pair_has_the_worse_figures_and_order_is_kept():
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    good, bad = compare([(noise, noise // 2 * 2), (noise, 255 - noise)])
    assert good.psnr_db > bad.psnr_db
    assert good.ssim > bad.ssim


def test_nothing_compares_to_nothing():
    assert compare([]) == []
