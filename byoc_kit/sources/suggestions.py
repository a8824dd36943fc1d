"""Suggests what to play from a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from byoc_kit.sources.image_folder import is_image
from byoc_kit.sources.source import WEBCAM
from byoc_kit.sources.synthetic import PATTERNS

LIMIT = 30

_VIDEO_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(".mjpeg", ".mjpg", ".gif", ".flv", ".ogv", ".wmv", ".3gp", ".y4m", ".h264", ".hevc"),
}
_SYNC = b"G"
# Only this many entries of a large folder are read.
_MAX_ENTRIES, _MAX_FOLDERS, _MAX_LOOKED_INTO = 20_000, 200, 100


def suggestions(folder: str | Path) -> list[str]:
    """Return at most 30 sources for a person to choose from, as ``open_source`` takes them in that folder.

    First come the video files of the folder and of its ``clips/``, then folders of images (with a ``/`` at the end),
    both sorted, then the patterns, and the webcam, which only the preview can open. If the folder cannot be read, the
    patterns and the webcam are left.
    """
    folder = Path(folder)
    always = [*(f"synthetic:{name}" for name in PATTERNS), WEBCAM]
    videos: list[str] = []
    images: list[str] = []
    for place in ("", "clips/"):
        files, folders = _listed(folder / place)
        videos += [f"{place}{name}" for name in files]
        images += [f"{place}{name}/" for name in folders]
    found = sorted(videos) + sorted(images)
    return found[: LIMIT - len(always)] + always


def first_video(folder: str | Path) -> str | None:
    """Return the first video of ``clips/``, or else of the folder itself, relative to the folder."""
    for place in ("clips/", ""):
        videos, _ = _listed(Path(folder) / place)
        if videos:
            return f"{place}{min(videos)}"
    return None


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of a folder's videos, and of its folders with images."""
    videos, folders = [], []
    for entry in _entries(folder, _MAX_ENTRIES):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            folders.append(entry)
        elif _is_video(entry):
            videos.append(entry.name)
    folders = sorted(folders, key=lambda entry: entry.name)[:_MAX_FOLDERS]
    return videos, [entry.name for entry in folders if any(map(is_image, _entries(entry.path, _MAX_LOOKED_INTO)))]


def _entries(folder: str | Path, most: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from islice(entries, most)
    except OSError:
        return  # it does not exist or cannot be read, so there is nothing to choose


def _is_video(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # quick, for large folders
    if suffix not in _VIDEO_SUFFIXES or not entry.is_file():
        return False
    return suffix != ".ts" or _begins_with_sync(entry.path)


def _begins_with_sync(path: str) -> bool:
    """Whether a ``.ts`` is MPEG-TS; most others are TypeScript."""
    try:
        with Path(path).open("rb") as file:
            return file.read(1) == _SYNC
    except OSError:
        return False
