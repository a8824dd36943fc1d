"""Saves results of a preview beside the notebook: recordings, golden frames, test cases."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params, as_json
from byoc_kit.core.stage import Processed
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.player import LastError
from byoc_kit.jupyter.preview.recorder import Recorder
from byoc_kit.regress.cases import Case, save_case
from byoc_kit.regress.golden import (
    MANIFEST,
    Golden,
    RegressionError,
    function_sha256,
    load_golden,
    save_golden,
    versions,
)

logger = logging.getLogger(__name__)

Chore = Callable[[], str | None]

# Both pictures of a 720p frame take 4 to 6 MB of memory, and about 2 MB as PNG.
LONGEST = 100
RECORDINGS = "recordings"
GOLDEN = "golden"
# Used if the pace is unknown; it only decides how long the last picture is shown.
_FPS = 30.0
_MOST_SETS = 1000


class GoldenStretch:
    """Collects the next ``frames`` results in a row, to save them as golden frames.

    For a function that remembers earlier frames, ``lead_in`` more frames come before them, as inputs only. What the
    function remembers of still earlier frames is not saved, and must have no effect any more when comparison begins.
    """

    def __init__(self, source: str, *, frames: int = 1, lead_in: int = 0) -> None:
        """Begin a stretch of ``source``, which is the source's name. Raises ``ByocKitError``."""
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
        """Add a frame and its output. A frame beyond the last one is ignored."""
        if not self.is_full:
            if process_frame not in self._functions:
                self._functions.append(process_frame)
            self._kept.append((source.original(), output, params))

    def golden(self) -> Golden:
        """Return the collected frames, numbered from 0. A withheld frame has no picture and is not compared.

        Raises ``RegressionError`` if there are no frames, if all were withheld, or if the parameters or the function
        changed meanwhile.
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
            msg = "process_frame was defined again while golden frames were kept; leave its cell alone, and try again"
            raise RegressionError(msg)
        inputs = {
            number: VideoFrame.from_pixels(frame.view(), frame.pts, frame.time_base)
            for number, (frame, _, _) in enumerate(self._kept)
        }
        values = as_json(params)
        made_by = function_sha256(self._functions[0])
        return Golden(self._source, "", inputs[0].width, 1, values, pictures, inputs, versions(), made_by)


def _refuse(reason: str) -> str:
    raise RegressionError(reason)


def _changed(params: Params, other: Params) -> set[str]:
    now, then = dict(params), dict(other)
    return {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}


class ResultSaver:
    """Takes the stage's results. ``do`` runs a chore on another thread and shows the text that it returns, if any."""

    def __init__(self, do: Callable[[Chore], None], folder: Path | None = None) -> None:
        self._do = do
        self._folder = folder or Path()
        self._recorder: Recorder | None = None
        self._stretch: tuple[GoldenStretch, str] | None = None

    @property
    def is_recording(self) -> bool:
        """Whether a recording is running."""
        return self._recorder is not None

    @property
    def is_collecting(self) -> bool:
        """Whether it needs the next frames, for a recording or as golden frames."""
        return self._recorder is not None or self._stretch is not None

    def take(self, result: Processed) -> None:
        """Take a result, on the stage's thread."""
        recorder, stretch = self._recorder, self._stretch  # other threads set them
        if recorder is not None:
            recorder.add(result.source, result.output)
            if recorder.error:
                self.end_recording()
        if stretch is None:
            return
        golden, name = stretch
        if result.failure is not None:
            self._stretch = None
            self._do(lambda: _refuse(f"{name} failed, so no golden frames were kept; fix it, and save again"))
            return
        golden.add(result.source, result.output, result.params, result.processor.hooks.process_frame)
        if golden.is_full:
            self._stretch = None
            self._do(lambda: self._save_golden(golden, name))

    def begin_recording(self, name: str, fps: float | None) -> None:
        """Record from the next frame on. Raises ``ByocKitError`` if the folder cannot be written to."""
        if self._recorder is None:
            self._recorder = Recorder(self._folder / RECORDINGS, name, fps=fps or _FPS)

    def end_recording(self) -> None:
        """End the recording and say where it is."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._do(lambda: _ended(recorder))

    def keep_golden(self, name: str, source: str, *, frames: int = 1, lead_in: int = 0) -> None:
        """Save the next frames as golden frames. Raises ``ByocKitError`` for too many, or none."""
        self._stretch = GoldenStretch(source, frames=frames, lead_in=lead_in), name

    def keep_case(self, failed: LastError) -> None:
        """Save a failed frame as a test case."""
        self._do(lambda: self._save_case(failed))

    def close(self) -> None:
        """End a running recording on the calling thread. The log says where it is, or why it failed."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        try:
            logger.info("%s", _ended(recorder))
        except ByocKitError as error:
            logger.warning("%s", error)

    def _save_golden(self, golden: GoldenStretch, name: str) -> str:
        of = kernel.notebook_name() or name
        folder, joined = _joined(self._folder / GOLDEN, of, golden.golden())
        save_golden(joined, folder)
        count = len(joined.pictures)
        frames = "1 frame" if count == 1 else f"{count} frames"
        other = f" ({of} has those of other parameters or of another version of {name})" if folder.name != of else ""
        how = "a regression notebook compares them with byoc_kit.regress.process_inputs"
        return f"{folder} has {frames} now{other}: {how}."

    def _save_case(self, failed: LastError) -> str:
        frame, failure = failed.frame, failed.failure
        error = f"{failure.error}: {failure.message}" if failure.message else failure.error
        params = as_json(failed.params)
        case = Case(frame.view(), params, frame.pts, frame.time_base, error, failure.where, versions())
        folder = save_case(self._folder, case)
        again = f'byoc_kit.regress.replay_case(process_frame, "{folder}")'
        return f"Saved the frame to {folder}; to run it again, write {again}."


def _ended(recorder: Recorder) -> str:
    recording = recorder.close()
    dropped = f", {recording.dropped} dropped because the encoder was busy" if recording.dropped else ""
    what = f"{recording.frames} frames, {recording.duration_s:.1f} s{dropped}"
    return f"Recorded {recording.input} and {recording.output.name}: {what}."


def _joined(home: Path, name: str, golden: Golden) -> tuple[Path, Golden]:
    """Add golden frames to those of the same function and parameters; return the folder and its new content."""
    for number in range(1, _MOST_SETS):
        folder = home / (name if number == 1 else f"{name}-{number}")
        if not (folder / MANIFEST).exists():
            if not folder.exists():
                return folder, golden
            continue
        with suppress(RegressionError):  # of another function, of other parameters, or damaged
            return folder, load_golden(folder).with_more(golden)
    msg = f"{home} has {_MOST_SETS} sets named after {name}; remove some"
    raise ByocKitError(msg)
