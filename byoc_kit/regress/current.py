"""Whether what is compared is what the notebook says now, and not an earlier export of it."""

from __future__ import annotations

from pathlib import Path

from byoc_kit.bundle.load import MANIFEST, read_bundle
from byoc_kit.processor import FrameProcessor
from byoc_kit.regress.golden import RegressionError


def require_current(processor: FrameProcessor) -> None:
    """Raise :class:`RegressionError` where a processor's bundle makes other frames than its notebook.

    Says nothing of a processor without a bundle, and where the notebook is not there, as in a container.
    """
    folder = Path(processor.hooks.user_file).parent
    if not (folder / MANIFEST).is_file():
        return
    bundle = read_bundle(folder)
    if not bundle.notebook.is_file():
        return
    from byoc_kit.bundle.drift import why_bundle_is_stale  # in a container its libraries are not installed

    why = why_bundle_is_stale(bundle, as_it_runs=True)
    if why is not None:
        msg = f"the bundle {folder} is not current: {why}"
        raise RegressionError(msg)
