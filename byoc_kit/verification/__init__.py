"""Streams a clip through a bundle and compares what comes back."""
