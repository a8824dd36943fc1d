"""The live preview: ``preview(process_frame)`` as a cell's last line plays a clip, input and output side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byoc_kit.jupyter.preview.interface import Preview

if TYPE_CHECKING:
    from byoc_kit.sources.source import ClipSource

__all__ = ["Preview", "preview"]

DISPLAY_WIDTH = 640


def preview(
    process_frame: Callable[..., Any],
    source: str | Path | ClipSource | None = None,
    *,
    compare: Callable[..., Any] | None = None,
    fps: float | None = None,
    size: tuple[int | None, int | None] = (None, None),
    width: int = DISPLAY_WIDTH,
) -> Preview:
    """Play a source through ``process_frame``, with a control for each field of its ``Params``.

    Running the cell that defines ``process_frame`` again swaps the function while it plays. Without a browser
    (papermill, nbconvert, a script), the first 25 frames run through instead, and leave a contact sheet and a table; an
    exception of ``process_frame`` then fails the cell.

    Parameters
    ----------
    process_frame : callable
        The notebook's function: it takes a frame, and ``params`` if it wants them.
    source : str, Path or ClipSource, optional
        What is played: a video file, a folder of images, ``"synthetic"`` or ``"synthetic:<pattern>"``, ``"webcam"``
        (that of the browser's machine), or a URL: a network video (``http``, ``rtsp``), a trickle channel, or a running
        byoc-kit server, whose input it then is. By default the first video of ``clips/``, else of the notebook's
        folder, else ``"synthetic:bars"``. What has frames by number plays in a loop; its frames stay in memory where a
        32nd of it, at most 1 GiB, is enough for all.
    compare : callable, optional
        Another function on the same frames. Its output is shown in place of the input.
    fps : float, optional
        Play a clip, a folder or a pattern at this pace; by default at its own, a folder of images at one a second.
    size : tuple of int, optional
        The width and height that frames are scaled to before ``process_frame``, as a stream's parameters ``width`` and
        ``height`` ask the container for. One of them may be ``None``. By default the source's own size.
    width : int, optional
        A picture that is wider or higher than this is scaled down for the display, and only for that.

    Returns
    -------
    Preview
        As a cell's last value it shows itself; it can also be steered from another cell.

    Raises
    ------
    ByocKitError
        In one sentence, for a source that cannot be played, a size that no video has, or a ``process_frame`` that
        cannot be called with a frame.

    Examples
    --------
    >>> byoc_kit.preview(process_frame)  # doctest: +SKIP
    >>> byoc_kit.preview(process_frame, source="webcam", size=(640, 360))  # doctest: +SKIP
    >>> byoc_kit.preview(process_frame, source="clips/street.mp4", compare=old_process_frame)  # doctest: +SKIP
    """
    from byoc_kit.jupyter.preview.start import start

    return start(process_frame, source, compare=compare, fps=fps, size=size, width=width)
