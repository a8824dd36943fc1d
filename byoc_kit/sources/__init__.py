"""The sources that the live preview plays: clips, folders of images, patterns, and live video."""

from byoc_kit.sources.number_strip import read_number
from byoc_kit.sources.opening import open_source
from byoc_kit.sources.source import WEBCAM, ClipSource, LiveSource, is_clip_source
from byoc_kit.sources.suggestions import suggestions

__all__ = ["WEBCAM", "ClipSource", "LiveSource", "is_clip_source", "open_source", "read_number", "suggestions"]
