"""Where a preview is measured: a JupyterLab, the folder that it sees, and the clip in it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.lab import Lab, running_lab
from benchmarks.source import make_source
from byoc_kit.errors import ByocKitError
from byoc_kit.media.mp4 import save_mp4

CLIP_S = 10.0
_PACKAGES = ["jupyterlab", "ipykernel", "ipywidgets", "anywidget", "jupyter-rfb", "simplejpeg", "pillow"]


@dataclass(frozen=True)
class PreviewSetup:
    """All that one measurement after the other needs."""

    lab: Lab
    folder: Path
    clip: Path


@asynccontextmanager
async def preview_setup(clip: Path) -> AsyncIterator[PreviewSetup]:
    """Make the clip that is shown, 720p at 30 fps, and run JupyterLab on a temporary folder.

    Raises ``ByocKitError``, saying what to install, where something is missing.
    """
    versions()
    with tempfile.TemporaryDirectory(prefix="byoc-kit-bench-") as name:
        folder = Path(name)
        shown = folder / "clip.mp4"
        save_mp4(b"".join(picture.data for picture in make_source(clip, seconds=CLIP_S)), shown)
        async with running_lab(folder) as lab:
            yield PreviewSetup(lab, folder, shown)


def versions() -> dict[str, str]:
    """Return the version of each package that takes part; raises ``ByocKitError`` for one that is not there."""
    return package_versions(_PACKAGES)


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return each package's version; raises ``ByocKitError`` for one that is not there."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            msg = f"the benchmark of the preview needs {name}; pip install 'byoc-kit[bench]'"
            raise ByocKitError(msg) from None
    return found
