"""The sources that the live preview plays: clips, folders of images, patterns, and live video."""
