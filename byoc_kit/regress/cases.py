"""Saves frames on which ``process_frame`` failed beside the notebook, each as a PNG and ``case.json``."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import Ran, run_frames
from byoc_kit.regress.golden import RegressionError, read_png, write_png

FOLDER = "cases"
MANIFEST = "case.json"
INPUT = "input.png"
LOOKS_WRONG = "looks-wrong"
_SLUG_LENGTH = 40


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One frame, as it came in (uint8 ``[H, W, 3]``), and the parameters that ``process_frame`` got with it.

    ``error`` is the exception (``ZeroDivisionError: division by zero``), or empty if the picture only looked wrong.
    ``where`` is the line that raised it. ``pts`` counts in units of ``time_base`` seconds.
    """

    pixels: Pixels
    params: Mapping[str, Any]
    pts: int
    time_base: Fraction
    error: str
    where: str
    versions: Mapping[str, str]

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"<Case: {self.error or LOOKS_WRONG} on a frame of {width}x{height}, params {dict(self.params)}>"


def save_case(folder: Path | str, case: Case) -> Path:
    """Save a case in a new folder ``cases/<error>-<number>`` of ``folder``, the notebook's; returns the new folder.

    Raises ``RegressionError`` if it cannot be written, and then leaves no files behind.
    """
    home = Path(folder) / FOLDER
    new: Path | None = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        new = _new_folder(home, _slug(case.error))
        write_png(case.pixels, new / INPUT)
        (new / MANIFEST).write_text(json.dumps(_manifest(case), indent=2) + "\n")
    except OSError as error:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)
        msg = f"cannot keep the case in {home}: {error.strerror or error}; make room there, or make it writable"
        raise RegressionError(msg) from error
    return new


def load_case(path: Path | str) -> Case:
    """Read a case from its folder. Raises ``RegressionError`` if it is missing or damaged."""
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        msg = f"there is no case in {folder}; give the folder of one, which has a {MANIFEST}"
        raise RegressionError(msg)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        manifest["time_base"] = Fraction(manifest["time_base"])
        return Case(pixels=read_png(folder / INPUT), **manifest)
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        msg = f"the case in {folder} is damaged ({error}); restore it, or save it again"
        raise RegressionError(msg) from error


def replay_case(process_frame: Callable[..., Any] | FrameProcessor, case: Case | Path | str) -> VideoFrame | None:
    """Run a notebook's function, or an exported processor with its other hooks, once on a case's frame.

    ``case`` is a loaded case or its folder: ``replay_case(process_frame, "cases/value-error-1")``. Returns the output,
    or ``None`` if the function withholds the frame, and raises what the function raises. Raises ``ParamsError`` if the
    case's parameters no longer fit.
    """
    if not isinstance(case, Case):
        case = load_case(case)
    processor = process_frame if isinstance(process_frame, FrameProcessor) else FrameProcessor(Hooks.of(process_frame))
    frame = VideoFrame.from_pixels(case.pixels, case.pts, case.time_base)
    ran: list[Ran] = []
    run_frames(processor, [frame], processor.params_with(case.params), ran.append)
    return ran[0].result()


def _manifest(case: Case) -> dict[str, Any]:
    return {
        "error": case.error,
        "where": case.where,
        "params": to_jsonable_python(dict(case.params)),
        "pts": case.pts,
        "time_base": str(case.time_base),
        "versions": dict(case.versions),
    }


def _slug(error: str) -> str:
    """Return the exception's name as part of a folder's name: ``zero-division-error``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", error.partition(":")[0])
    return "-".join(words).lower()[:_SLUG_LENGTH].strip("-") or LOOKS_WRONG


def _new_folder(home: Path, slug: str) -> Path:
    number = 1
    while True:
        folder = home / f"{slug}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
