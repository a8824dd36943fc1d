"""Runs a processor over a whole clip or over saved frames, without a network or a codec, and makes golden frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.core.bundle_reader import load_processor, read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import Ran, run_frames
from byoc_kit.errors import name_of, text_of
from byoc_kit.media.clip import read_clip
from byoc_kit.media.demux import MediaError
from byoc_kit.regress.golden import Golden, RegressionError, clip_sha256, require_current, save_golden, versions


@dataclass(frozen=True, repr=False)
class Picture:
    """The output for a frame: its number in the clip, from 0, and its pixels, or ``None`` if it was dropped."""

    number: int
    pixels: Pixels | None

    def __repr__(self) -> str:
        made = "dropped" if self.pixels is None else f"{self.pixels.shape[1]}x{self.pixels.shape[0]}"
        return f"<Picture: frame {self.number}, {made}>"


def process_clip(
    processor: FrameProcessor, clip: Path | str, *, params: Mapping[str, Any], width: int, every: int
) -> list[Picture]:
    """Run a processor over every frame of a clip, scaled to ``width``, and keep every ``every``-th result.

    Raises ``RegressionError``, naming cell and line, if a hook raises, or if the processor's bundle differs from its
    notebook, and ``ParamsError`` for a parameter that does not fit.
    """
    require_current(processor)
    return _process(processor, enumerate(read_clip(clip, width=width)), params, lambda number: number % every == 0)


def process_inputs(
    processor: FrameProcessor, golden: Golden, *, params: Mapping[str, Any] | None = None
) -> list[Picture]:
    """Run a processor over the input frames of golden pictures, in order, each with its own time.

    ``params`` are by default those of the golden pictures. Raises what ``process_clip`` does, and ``RegressionError``
    if the golden pictures were made of a clip.
    """
    require_current(processor)
    if not golden.inputs:
        msg = f"these golden frames were made of {golden.clip}; use byoc_kit.regress.process_clip with it"
        raise RegressionError(msg)
    frames = ((number, frame.original()) for number, frame in golden.inputs.items())
    return _process(processor, frames, golden.params if params is None else params, golden.pictures.__contains__)


def _process(
    processor: FrameProcessor,
    frames: Iterable[tuple[int, VideoFrame]],
    params: Mapping[str, Any],
    is_kept: Callable[[int], bool],
) -> list[Picture]:
    numbers: list[int] = []
    pictures: list[Picture] = []
    hooks: list[str] = []

    def counted() -> Iterator[VideoFrame]:
        for number, frame in frames:
            numbers.append(number)
            yield frame

    def keep(ran: Ran) -> None:
        if isinstance(ran.error, Exception):
            raise _failed(processor, "process_frame", ran.error) from ran.error
        result = ran.result()
        if is_kept(numbers[-1]):
            pictures.append(Picture(numbers[-1], None if result is None else result.view()))

    checked = processor.params_with(params)
    try:
        run_frames(
            processor, counted(), checked, keep, on_hook=hooks.append
        )  # runs all of them: a hook may remember the last ones
    except (MediaError, RegressionError):
        raise
    except Exception as error:
        raise _failed(processor, hooks[-1], error) from error
    return pictures


def _failed(processor: FrameProcessor, hook: str, error: Exception) -> RegressionError:
    """Say in one line what a hook raised, and in which cell."""
    text = " ".join(text_of(error).split())
    where = processor.where(hook, error)
    return RegressionError(f"{where}: {name_of(error)}: {text}; run the notebook from the top to see it")


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

    Do this when you want the output to change, and look at the pictures before you commit them. Raises
    ``RegressionError`` if the bundle drops a frame that should be kept, and then writes nothing.
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
