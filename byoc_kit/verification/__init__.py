"""Streaming a clip through a bundle and judging what comes back."""
