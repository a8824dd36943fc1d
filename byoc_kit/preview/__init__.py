"""The live preview: ``preview(process_frame)`` as a cell's last line plays a clip and what becomes of it, side by side.

The module is callable, because its name is also the function's: once it is imported, ``byoc_kit.preview`` is the
module, whatever ``byoc_kit.__getattr__`` would say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from byoc_kit.params import Params
    from byoc_kit.preview.stats import PreviewStats

__all__ = ["Preview", "preview"]

DISPLAY_WIDTH = 640


class Preview(Protocol):
    """What :func:`preview` returns; as a cell's last value it shows itself."""

    @property
    def params(self) -> Params:
        """The parameters as the controls stand."""
        ...

    def play(self) -> None:
        """Play, or play on."""
        ...

    def pause(self) -> None:
        """Hold the picture; the controls still act on it."""
        ...

    def close(self) -> None:
        """End the threads and the widgets; running the cell again does it too."""
        ...

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        ...


def preview(
    process_frame: Callable[..., Any],
    source: str | Path = "clips/bigbuckbunny.mp4",
    *,
    fps: float | None = None,
    width: int = DISPLAY_WIDTH,
) -> Preview:
    """Play ``source`` through ``process_frame``, with a control for each field of its ``Params``.

    ``source`` is a video file; it plays in a loop, at its own frame rate unless ``fps`` gives another. A picture wider
    than ``width`` pixels is scaled down for the display only: ``process_frame`` gets the clip's own size. Where nobody
    looks on (papermill, nbconvert, a script) a fixed number of frames runs through instead and leaves a poster and a
    table; an exception of ``process_frame`` then fails the cell.

    Raises :class:`~byoc_kit.errors.ByocKitError` for a missing clip, one without video, or a ``process_frame`` that is
    no function.
    """
    from byoc_kit.preview.start import start

    return start(process_frame, source, fps=fps, width=width)


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Preview:
        return preview(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
