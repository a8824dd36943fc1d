"""Runs a notebook's hooks over a clip as one stream, and saves each frame's outcome and some frames' pixels.

It runs in a notebook's kernel and in an interpreter that has only the locked requirements, so it imports only the parts
of the kit that every image has. It returns its results as files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import ParamsError, as_json
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import Ran, run_frames
from byoc_kit.core.timings import percentiles_ms
from byoc_kit.errors import in_one_line
from byoc_kit.media.clip import read_clip
from byoc_kit.verification.later_streams import LaterStreams, Memory

TASK = "task.json"
_REPLAY = "replay.json"
_PROGRESS = "progress"
_STREAMS = {2: "second", 3: "third"}

Place = Callable[[str, BaseException], str]
"""Names the notebook's line where a hook raised."""


class Outcome(StrEnum):
    """The outcome of a frame. If ``process_frame`` raised, the original goes out."""

    MADE = "made"
    DROPPED = "dropped"
    RAISED = "raised"


class Fault(StrEnum):
    """The step that failed, so that there are no frames."""

    LOCK = "lock"
    LOAD = "load"
    PARAMS = "params"
    RUN = "run"


@dataclass(frozen=True)
class Task:
    """The task: a clip as MPEG-TS, the parameters to change, and the numbers of the frames to keep.

    Only one of the tasks that share a ``clip`` processes frames at a time. ``max_diff`` is how far a second stream may
    differ from the first, of 255; if it is ``None``, there is no second stream.
    """

    clip: Path
    params: Mapping[str, Any]
    kept: tuple[int, ...]
    folder: Path
    max_diff: int | None = None

    def save(self) -> Path:
        """Write it for another process; returns the file's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / TASK
        path.write_text(json.dumps(asdict(self), default=str))
        return path

    @classmethod
    def load(cls, path: Path | str) -> Task:
        """Read it back."""
        said = json.loads(Path(path).read_bytes())
        return cls(Path(said["clip"]), said["params"], tuple(said["kept"]), Path(said["folder"]), said["max_diff"])

    def count(self, done: int, *, of: int | None = None, stream: int = 1) -> None:
        """Show another process how many frames of which stream are done; ``of`` is how many it has."""
        written = self.folder / f"{_PROGRESS}.part"
        written.write_text(json.dumps([done, of, stream]))
        written.replace(self.folder / _PROGRESS)  # a reader finds either the old numbers or the new ones

    def progress(self, *, of: int) -> str:
        """Say how many frames are done; the clip's own stream has ``of``."""
        try:
            done, of_later, stream = json.loads((self.folder / _PROGRESS).read_bytes())
        except FileNotFoundError:
            return f"0 of {of} frames"
        name = f"{_STREAMS[stream]} stream, " if stream > 1 else ""
        return f"{name}{done} of {of_later or of} frames"


@dataclass(frozen=True)
class Replayed:
    """One frame: its number in the clip, from 0; its outcome; ``size`` and ``sha256`` of its picture, if any."""

    number: int
    pts: int
    outcome: Outcome
    took_s: float
    size: str = ""
    sha256: str = ""
    error: str = ""


@dataclass(frozen=True)
class Replay:
    """All frames of a clip; the pixels of the kept ones are in ``folder``.

    ``fault`` and ``failure`` say where and why it broke off. ``drift`` says how the parameters differ from their
    schema. ``memory`` says how a second stream differs from a first; it is ``None`` if none was run. ``said_of_scale``
    is the processor's warning about tensors that are not 0 to 1.
    """

    folder: Path
    frames: tuple[Replayed, ...] = ()
    params: Mapping[str, Any] | None = None
    fault: Fault | None = None
    failure: str = ""
    drift: str | None = None
    memory: Memory | None = None
    said_of_scale: str = ""

    @classmethod
    def broken(cls, task: Task, fault: Fault, failure: str) -> Replay:
        """Return a replay without frames."""
        return cls(task.folder, fault=fault, failure=failure)

    @cached_property
    def by_pts(self) -> dict[int, Replayed]:
        """The frames by their time."""
        return {frame.pts: frame for frame in self.frames}

    def count(self, outcome: Outcome) -> int:
        """Return how many frames had this outcome."""
        return sum(frame.outcome is outcome for frame in self.frames)

    @property
    def makes_no_picture(self) -> bool:
        """Whether ``process_frame`` returned ``None`` for each frame."""
        return bool(self.frames) and self.count(Outcome.DROPPED) == len(self.frames)

    def took_ms(self) -> dict[str, float]:
        """Return percentiles of the time that ``process_frame`` took."""
        return percentiles_ms(frame.took_s for frame in self.frames)

    def pixels(self, number: int) -> Pixels | None:
        """Return a frame's picture; ``None`` if it was dropped or not kept."""
        path = _pixels_file(self.folder, number)
        return np.load(path) if path.is_file() else None

    def save(self) -> None:
        """Write it into its folder and replace an earlier one at once, so that a reader always finds a whole one."""
        written = self.folder / f"{_REPLAY}.part"
        written.write_text(json.dumps(asdict(self), default=str))
        written.replace(self.folder / _REPLAY)

    @classmethod
    def load(cls, folder: Path) -> Replay | None:
        """Read it back; ``None`` if there is none."""
        try:
            said = json.loads((folder / _REPLAY).read_bytes())
        except FileNotFoundError:
            return None
        said["frames"] = tuple(Replayed(**{**f, "outcome": Outcome(f["outcome"])}) for f in said["frames"])
        said["fault"] = None if said["fault"] is None else Fault(said["fault"])
        said["memory"] = None if said["memory"] is None else Memory(**said["memory"])
        return cls(**{**said, "folder": folder})


def replay(
    processor: FrameProcessor,
    task: Task,
    place: Place,
    make_fresh: Callable[[], FrameProcessor] | None = None,
    on_first: Callable[[Replay], None] = lambda _: None,
) -> Replay:
    """Run a processor's hooks over the clip, in the order of a stream, and keep the frames that the task names.

    An exception of ``process_frame`` is an outcome of its frame; an exception of any other hook ends the replay. With
    ``make_fresh``, which makes another processor of the same module, short streams follow if the task asks for them.
    ``on_first`` gets the result of the clip's own stream before they begin.
    """
    hook, frames, memory = "", list[Replayed](), None

    def note(name: str) -> None:
        nonlocal hook
        hook = name

    def keep(ran: Ran) -> None:
        streams.take(ran)
        if streams.is_first:
            frames.append(_replayed(task, len(frames), ran, place))
            task.count(len(frames))
        else:
            task.count(streams.done, of=streams.length, stream=streams.number)

    def first() -> Replay:
        return Replay(task.folder, tuple(frames), as_json(params), said_of_scale=processor.said_of_scale)

    try:
        params = processor.params_with(task.params)
        streams = LaterStreams(processor, params, partial(read_clip, task.clip), lambda: on_first(first()))
        if make_fresh is None or task.max_diff is None:
            run_frames(processor, _one_at_a_time(task.clip, read_clip(task.clip)), params, keep, on_hook=note)
        else:
            run_frames(processor, _one_at_a_time(task.clip, streams.frames()), params, keep, on_hook=note)
            memory = streams.memory(place, max_diff=task.max_diff, make_fresh=make_fresh)
    except ParamsError as error:
        return Replay.broken(task, Fault.PARAMS, str(error))
    except BaseException as error:  # noqa: BLE001  # shows any exception of a hook, also SystemExit
        return Replay.broken(task, Fault.RUN, f"{hook} raises {in_one_line(error)} ({place(hook, error)})")
    return replace(first(), memory=memory)


def _one_at_a_time(clip: Path, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    with clip.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two at a time would slow each other down and measure that
        yield from frames


def _replayed(task: Task, number: int, ran: Ran, place: Place) -> Replayed:
    """Return a frame's outcome, and keep its picture if the task names it."""
    pts = ran.source.pts
    if ran.error is not None:  # the container counts it, and the original goes out
        result, outcome = ran.source.original(), Outcome.RAISED
        said = f"{in_one_line(ran.error)} ({place('process_frame', ran.error)})"
    elif ran.output is None:
        return Replayed(number, pts, Outcome.DROPPED, ran.took_s)
    else:
        result, outcome, said = ran.output, Outcome.MADE, ""
    pixels = result.view()
    if number in task.kept:
        np.save(_pixels_file(task.folder, number), pixels)
    size = f"{result.width}x{result.height}"
    return Replayed(number, pts, outcome, ran.took_s, size, hashlib.sha256(pixels.tobytes()).hexdigest(), said)


def _pixels_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.npy"
