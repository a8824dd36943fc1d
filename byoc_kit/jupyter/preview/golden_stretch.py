"""Golden frames from what is on screen: the frames that go through ``process_frame``, kept with what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import VideoFrame
from byoc_kit.params import Params, as_json
from byoc_kit.regress.golden import Golden, RegressionError
from byoc_kit.regress.versions import function_sha256, versions

# Both pictures of a 720p frame take 4 to 6 MB of memory, and about 2 MB as PNG.
LONGEST = 100


class GoldenStretch:
    """Keeps the next ``frames`` results, one after the other, to be saved as golden.

    For a function that remembers earlier frames, ``lead_in`` more come before them, which are kept as inputs only: what
    it knew of frames before the stretch is in no folder, and must have worn off when the comparison begins.
    """

    def __init__(self, source: str, *, frames: int = 1, lead_in: int = 0) -> None:
        """Begin a stretch of ``source``, the name that a person knows it by. Raises :class:`ByocKitError`."""
        if frames < 1 or lead_in < 0 or frames + lead_in > LONGEST:
            msg = f"a golden stretch has 1 to {LONGEST} frames with those that lead in, not {lead_in} and {frames}"
            raise ByocKitError(msg)
        self._source = source
        self._lead_in = lead_in
        self._wanted = lead_in + frames
        self._kept: list[tuple[VideoFrame, VideoFrame | None, Params]] = []
        self._functions: list[Callable[..., Any]] = []

    @property
    def is_full(self) -> bool:
        """Whether all frames are there."""
        return len(self._kept) >= self._wanted

    def add(
        self, source: VideoFrame, output: VideoFrame | None, params: Params, process_frame: Callable[..., Any]
    ) -> None:
        """Keep a frame that ``process_frame`` did not fail on, and what it returned; one too many is left out."""
        if not self.is_full:
            if process_frame not in self._functions:
                self._functions.append(process_frame)
            self._kept.append((source.original(), output, params))

    def golden(self) -> Golden:
        """Return what was kept, numbered from 0; a frame that was withheld has no picture, and is not compared.

        Raises :class:`RegressionError` where nothing was kept, all was withheld, or the parameters or the function
        changed on the way.
        """
        pictures = {
            number: output.view()
            for number, (_, output, _) in enumerate(self._kept)
            if output is not None and number >= self._lead_in
        }
        if not pictures:
            msg = "there is no output to save as golden; let process_frame return a frame, and try again"
            raise RegressionError(msg)
        params = self._kept[0][2]
        if changed := sorted({name for _, _, other in self._kept for name in _changed(params, other)}):
            msg = f"{', '.join(changed)} changed while golden frames were kept; leave the controls alone, and try again"
            raise RegressionError(msg)
        if len(self._functions) > 1:
            msg = "process_frame was defined anew while golden frames were kept; leave its cell alone, and try again"
            raise RegressionError(msg)
        inputs = {
            number: VideoFrame.from_pixels(frame.view(), frame.pts, frame.time_base)
            for number, (frame, _, _) in enumerate(self._kept)
        }
        values = as_json(params)
        made_by = function_sha256(self._functions[0])
        return Golden(self._source, "", inputs[0].width, 1, values, pictures, inputs, versions(), made_by)


def _changed(params: Params, other: Params) -> set[str]:
    now, then = dict(params), dict(other)
    return {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}
