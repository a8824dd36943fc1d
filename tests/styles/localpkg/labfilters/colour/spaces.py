"""Colour spaces."""

import numpy as np


def swap(pixels):
    """Exchange red and blue."""
    return np.ascontiguousarray(pixels[..., ::-1])


def limit(pixels):
    """Keep to the range of video."""
    return pixels.clip(16, 235)
