"""Curves, each a table of 256 levels."""

import numpy as np


def s_curve(strength):
    """Return a table that darkens the dark and brightens the bright."""
    levels = np.linspace(0, 1, 256)
    bent = levels + strength * np.sin(2 * np.pi * (levels - 0.5)) / (2 * np.pi)
    return (255 * np.clip(bent, 0, 1)).round().astype(np.uint8)


def apply_curve(pixels, curve):
    """Look each level up in a table."""
    return curve[pixels]
