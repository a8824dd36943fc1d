"""The object that ``preview`` returns, with or without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byoc_kit.core.params import Params
    from byoc_kit.jupyter.preview.player import LastError
    from byoc_kit.jupyter.preview.stats import PreviewStats
    from byoc_kit.sources.source import ClipSource

# This environment variable makes every preview a still one that processes no frame: `verify` sets it.
SETTING, STILL = "BYOC_KIT_PREVIEW", "still"


class Preview:
    """What ``preview`` returns; as a cell's last value it shows itself.

    Without a browser (papermill, nbconvert, a script), ``params`` and ``stats`` are about the frames that ran, and the
    methods that control playing or save something do nothing.
    """

    @property
    def params(self) -> Params:
        """The parameters that the controls now show."""
        raise NotImplementedError

    @property
    def last_error(self) -> LastError | None:
        """The frame that ``process_frame`` failed on last, its parameters, and the traceback of the user's lines."""
        return None

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        raise NotImplementedError

    def play(self) -> None:
        """Play, or continue to play."""

    def pause(self) -> None:
        """Hold the picture; the controls still act on it."""

    def step(self, frames: int = 1) -> None:
        """Hold the frame so many frames after the present one; a negative number goes back.

        Raises ``ByocKitError`` if the source is live, as ``seek`` does.
        """

    def seek(self, frame: int) -> None:
        """Go to a frame by its number, from 0."""

    def switch(self, source: str | Path | ClipSource) -> None:
        """Play another source. The present one stays until the new one's first frame is there.

        Raises ``ByocKitError`` if the source cannot be played.
        """

    def swap(self, process_frame: Callable[..., Any]) -> None:
        """Run another ``process_frame`` from the next frame on, as running its cell again does.

        Raises ``ByocKitError`` if it cannot be called; the present one goes on.
        """

    def revert(self) -> None:
        """Bring the last good ``process_frame`` back."""

    def record(self, *, on: bool = True) -> None:
        """Write input and output to two MP4 files in ``recordings/``, until it is turned off.

        Raises ``ByocKitError`` if that folder cannot be written to.
        """

    def save_golden(self, frames: int = 1, *, lead_in: int = 0) -> None:
        """Save the next frames, input and output, for a regression notebook: without loss, in a folder in ``golden/``.

        ``lead_in`` more frames come before them, as inputs only, for a function that remembers earlier frames. While
        paused, the present frame is the first. Raises ``ByocKitError`` for more than 100 frames.
        """

    def save_case(self) -> None:
        """Save the frame that failed last as a test case in ``cases/``.

        Raises ``ByocKitError`` if none has failed.
        """

    def close(self) -> None:
        """End the threads and the widgets. Running the cell again does this too."""
