"""Colours."""

from .spaces import swap

__all__ = ["swap"]
