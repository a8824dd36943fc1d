"""Filters of a lab, as it shares them between its notebooks."""

from importlib.metadata import version

from .pipeline import Pipeline

__version__ = version("lab-filters")
__all__ = ["Pipeline", "__version__"]
