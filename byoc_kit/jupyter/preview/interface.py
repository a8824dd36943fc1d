"""What ``preview`` returns: the same for a preview that plays and for one that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byoc_kit.core.params import Params
    from byoc_kit.jupyter.preview.player import LastError
    from byoc_kit.jupyter.preview.stats import PreviewStats
    from byoc_kit.sources import ClipSource


class Preview:
    """What ``preview`` returns; as a cell's last value it shows itself.

    Without a browser (papermill, nbconvert, a script), ``params`` and ``stats`` are of the frames that have
    run through, and what steers or keeps does nothing.
    """

    @property
    def params(self) -> Params:
        """The parameters as the controls stand."""
        raise NotImplementedError

    @property
    def last_error(self) -> LastError | None:
        """The frame that ``process_frame`` failed on last, its parameters, and the traceback of the user's lines."""
        return None

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        raise NotImplementedError

    def play(self) -> None:
        """Play, or play on."""

    def pause(self) -> None:
        """Hold the picture; the controls still act on it."""

    def step(self, frames: int = 1) -> None:
        """Hold the frame so many after the present one; a negative number goes back.

        Raises ``ByocKitError``, as ``seek`` does, where the source is live.
        """

    def seek(self, frame: int) -> None:
        """Go to a frame by its number, from 0."""

    def switch(self, source: str | Path | ClipSource) -> None:
        """Play another source; the present one stays until the first frame of that is there.

        Raises ``ByocKitError`` for what cannot be played.
        """

    def swap(self, process_frame: Callable[..., Any]) -> None:
        """Run another ``process_frame`` from the next frame on, as re-running its cell does.

        Raises ``ByocKitError`` for one that cannot be called; the present one goes on.
        """

    def revert(self) -> None:
        """Bring the last good ``process_frame`` back."""

    def record(self, *, on: bool = True) -> None:
        """Write what comes in and what comes out to two MP4 files in ``recordings/``, until it is turned off.

        Raises ``ByocKitError`` where that folder cannot be written to.
        """

    def save_golden(self, frames: int = 1, *, lead_in: int = 0) -> None:
        """Keep the next frames, in and out, for a regression notebook: a folder in ``golden/``, without loss.

        ``lead_in`` more come before them, as inputs only, for a function that remembers earlier frames. Held, the
        present frame is the first. Raises ``ByocKitError`` for more than 100 frames.
        """

    def save_case(self) -> None:
        """Keep the frame that failed last as a test case, in ``cases/``.

        Raises ``ByocKitError`` where none has failed.
        """

    def close(self) -> None:
        """End the threads and the widgets; running the cell again does it too."""
