"""Opens the source that a person names."""

from __future__ import annotations

import re
from pathlib import Path

from byoc_kit.media.clip import Clip
from byoc_kit.media.decode import MediaError
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.network_video import NetworkVideo
from byoc_kit.sources.source import ClipSource, LiveSource
from byoc_kit.sources.synthetic import Synthetic
from byoc_kit.sources.web import open_web

_WHAT_TO_GIVE = "give the path of a video file, a folder of images, a URL, or synthetic:bars"
_WEB = {"http", "https"}
_LIVE = {"rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt"}


def open_source(source: str | Path) -> ClipSource | LiveSource:
    """Return the source for a path, a URL or the name of a pattern.

    A video file, a folder of images, ``synthetic`` and ``synthetic:<pattern>`` give a ``ClipSource``; ``rtsp``,
    ``rtmp``, ``udp``, ``srt`` and ``http(s)`` URLs give a ``LiveSource``. An ``http`` URL may be a byoc-kit server,
    whose input is played, a trickle channel, or any network video. Raises ``MediaError``, with one sentence, if there
    is nothing to play.
    """
    if isinstance(source, Path):
        return _open_path(source)
    kind, _, pattern = source.partition(":")
    if kind == "synthetic":
        return Synthetic(pattern) if pattern else Synthetic()
    url = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    if not source:
        msg = f"there is no clip to play; {_WHAT_TO_GIVE}"
        raise MediaError(msg)
    if url is None:
        return _open_path(Path(source))
    scheme = url[1].lower()
    if scheme in _WEB:
        return open_web(source)
    if scheme in _LIVE:
        return NetworkVideo(source)
    msg = f"{scheme}:// is nothing that can be played; give a URL with {', '.join(sorted(_WEB | _LIVE))}, or a path"
    raise MediaError(msg)


def _open_path(path: Path) -> ClipSource:
    path = path.expanduser()
    if path.is_dir():
        return ImageFolder(path)
    if not path.exists():
        msg = f"there is no clip {path}; {_WHAT_TO_GIVE}"
        raise MediaError(msg)
    return Clip(path)
