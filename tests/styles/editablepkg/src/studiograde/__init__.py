"""The grades of a studio, in a package that it still works on."""

from studiograde.curves import apply_curve

__all__ = ["apply_curve"]
