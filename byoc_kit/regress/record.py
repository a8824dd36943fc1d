"""Making golden frames anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from byoc_kit.bundle.load import load_processor, read_bundle
from byoc_kit.regress.golden import Golden, RegressionError, clip_sha256, save_golden
from byoc_kit.regress.process import process_clip
from byoc_kit.regress.versions import versions


def record_golden(
    bundle: Path | str,
    clip: Path | str,
    folder: Path | str,
    *,
    params: Mapping[str, Any],
    width: int = 320,
    every: int = 12,
) -> Golden:
    """Run a bundle over a clip, scaled to ``width``, and save every ``every``-th frame in ``folder``.

    Do it when a change of the output is meant, and look at the pictures before you commit them. Raises
    :class:`RegressionError` where the bundle drops a frame that is to be kept; nothing is written then.
    """
    sha256 = clip_sha256(clip)
    processor = load_processor(read_bundle(bundle))
    pictures = process_clip(processor, clip, params=params, width=width, every=every)
    kept = {picture.number: picture.pixels for picture in pictures if picture.pixels is not None}
    if len(kept) < len(pictures):
        dropped = next(picture.number for picture in pictures if picture.pixels is None)
        msg = f"process_frame drops frame {dropped}, which would be golden; choose another `every`"
        raise RegressionError(msg)
    golden = Golden(Path(clip).name, sha256, width, every, dict(params), kept, versions=versions())
    save_golden(golden, folder)
    return golden
