"""Golden frames in a folder: a PNG for each, for reviews, and ``golden.json``, which says how they were made."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import platform
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from pydantic_core import to_jsonable_python

from byoc_kit import __version__
from byoc_kit.core.bundle_reader import MANIFEST as BUNDLE
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import function_behind
from byoc_kit.core.pixels import Pixels
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError
from byoc_kit.system.files import sha256_of

MANIFEST = "golden.json"
INPUTS = "inputs"


def versions() -> dict[str, str]:
    """Return the versions of Python, torch, numpy, PyAV and this kit here, and the device."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    libraries = {name: version(name) for name in ("torch", "numpy", "av")}
    return {"python": platform.python_version(), **libraries, "byoc-kit": __version__, "device": device}


def function_sha256(process_frame: Callable[..., Any]) -> str:
    """Return the hash of a function's code without its comments; empty if its source is not known."""
    try:
        code = ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function_behind(process_frame)))))
    except (OSError, TypeError, SyntaxError):  # from an extension, without a file, or a lambda inside a line
        return ""
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()


class RegressionError(ByocKitError):
    """Golden frames cannot be read, or a processor does not match them."""


@dataclass(frozen=True, repr=False)
class Golden:
    """Pictures by their frame's number (from 0), and what they were made with.

    Golden frames of a clip have the clip's frame numbers: it was scaled to ``width`` pixels a row, and every
    ``every``-th frame is kept. Otherwise ``inputs`` has each input frame, in order, and no clip is needed: ``clip`` is
    then the name of their source, and ``clip_sha256`` is empty. An input without a golden picture is processed, because
    the function may remember it, but not compared. ``function_sha256`` is of the ``process_frame`` that made them, or
    empty if it is not known.
    """

    clip: str
    clip_sha256: str
    width: int
    every: int
    params: Mapping[str, Any]
    pictures: Mapping[int, Pixels]
    inputs: Mapping[int, VideoFrame] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    function_sha256: str = ""

    def __repr__(self) -> str:
        height, width, _ = next(iter(self.pictures.values())).shape if self.pictures else (0, 0, 0)
        return f"<Golden: {len(self.pictures)} pictures of {self.clip}, {width}x{height}, params {dict(self.params)}>"

    def with_more(self, other: Golden) -> Golden:
        """Return these frames followed by the other's, with the other's versions.

        Raises ``RegressionError`` if either is made of a clip, or if their parameters or functions differ.
        """
        if not self.inputs or not other.inputs or dict(self.params) != dict(other.params):
            msg = "golden frames of a clip, or of other parameters, cannot be in one folder; name another folder"
            raise RegressionError(msg)
        functions = {self.function_sha256, other.function_sha256} - {""}
        if len(functions) > 1:
            msg = "golden frames of two versions of process_frame cannot be in one folder; name another folder"
            raise RegressionError(msg)
        after = max(self.inputs) + 1
        pictures = {after + number: picture for number, picture in other.pictures.items()}
        inputs = {after + number: frame for number, frame in other.inputs.items()}
        return replace(other, pictures={**self.pictures, **pictures}, inputs={**self.inputs, **inputs})

    def require_clip(self, path: Path | str) -> None:
        """Raise ``RegressionError`` if the frames were not made from the clip ``path``."""
        if self.inputs:
            msg = "these golden frames bring their own inputs and need no clip; use byoc_kit.regress.process_inputs"
            raise RegressionError(msg)
        if clip_sha256(path) != self.clip_sha256:
            msg = f"{path} is not the {self.clip} that the golden frames were made of; give that clip, or record again"
            raise RegressionError(msg)


def save_golden(golden: Golden, folder: Path | str) -> None:
    """Write golden frames without loss, and replace those in the folder.

    Raises ``RegressionError`` if they cannot be written, or would replace other pictures.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists() and any(folder.glob("*.png")):
        msg = f"{folder} has pictures that are not golden frames, and they would be lost; name another folder"
        raise RegressionError(msg)
    if not golden.inputs and any((folder / INPUTS).glob("*.png")):
        msg = f"{folder} has golden frames with their inputs, as the preview saves them; name another folder"
        raise RegressionError(msg)
    try:
        _write_pngs(folder, golden.pictures)
        if golden.inputs:
            _write_pngs(folder / INPUTS, {number: frame.original().view() for number, frame in golden.inputs.items()})
        (folder / MANIFEST).write_text(json.dumps(_manifest(golden), indent=2) + "\n")
    except OSError as error:
        msg = f"cannot write golden frames to {folder}: {error.strerror or error}; make room there, or name another one"
        raise RegressionError(msg) from error


def load_golden(folder: Path | str) -> Golden:
    """Read golden frames. Raises ``RegressionError`` if they are missing or damaged."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        msg = f"there are no golden frames in {folder}; make them with byoc_kit.regress.record_golden"
        raise RegressionError(msg)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        times = manifest.pop(INPUTS, {})
        golden = Golden(**manifest, pictures=_read_pngs(folder), inputs=_read_inputs(folder / INPUTS, times))
    except (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        msg = f"the golden frames in {folder} are damaged ({error}); restore them, or record them again"
        raise RegressionError(msg) from error
    if not golden.pictures:
        msg = f"{folder} has a {MANIFEST} and no picture; restore them, or record them again"
        raise RegressionError(msg)
    return golden


def clip_sha256(path: Path | str) -> str:
    """Return a clip's hash. Raises ``RegressionError`` if it cannot be read."""
    try:
        return sha256_of(Path(path))
    except OSError as error:
        msg = f"cannot read the clip {path}: {error.strerror}; give one that can be read"
        raise RegressionError(msg) from error


def _manifest(golden: Golden) -> dict[str, Any]:
    manifest = {
        "clip": golden.clip,
        "clip_sha256": golden.clip_sha256,
        "width": golden.width,
        "every": golden.every,
        "params": to_jsonable_python(dict(golden.params)),
    }
    if golden.function_sha256:
        manifest["function_sha256"] = golden.function_sha256
    if golden.versions:
        manifest["versions"] = dict(golden.versions)
    if golden.inputs:
        manifest[INPUTS] = {str(n): [frame.pts, str(frame.time_base)] for n, frame in golden.inputs.items()}
    return manifest


def _write_pngs(folder: Path, pictures: Mapping[int, Pixels]) -> None:
    """Replace the pictures of a folder. If one cannot be written, the old ones stay."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".new-", dir=folder) as scratch:
        for number, pixels in pictures.items():
            write_png(pixels, Path(scratch) / f"{number:05}.png")
        for old in folder.glob("*.png"):
            old.unlink()
        for new in Path(scratch).iterdir():
            new.rename(folder / new.name)


def _read_pngs(folder: Path) -> dict[int, Pixels]:
    return {int(path.stem): read_png(path) for path in sorted(folder.glob("*.png"))}


def _read_inputs(folder: Path, times: Mapping[str, tuple[int, str]]) -> dict[int, VideoFrame]:
    """Read the input frames, in order."""
    frames = {}
    for number in sorted(map(int, times)):
        pts, time_base = times[str(number)]
        pixels = read_png(folder / f"{number:05}.png")
        frames[number] = VideoFrame.from_pixels(pixels, int(pts), Fraction(time_base))
    return frames


def require_current(processor: FrameProcessor) -> None:
    """Raise ``RegressionError`` if a processor's bundle makes other frames than its notebook.

    It accepts a processor without a bundle, and one whose notebook is missing, as in a container.
    """
    folder = Path(processor.hooks.user_file).parent
    if not (folder / BUNDLE).is_file():
        return
    bundle = read_bundle(folder)
    if not bundle.notebook.is_file():
        return
    from byoc_kit.bundle.drift import why_bundle_is_stale  # a container does not have the libraries of this module

    why = why_bundle_is_stale(bundle, as_it_runs=True)
    if why is not None:
        msg = f"the bundle {folder} is not current: {why}"
        raise RegressionError(msg)


def write_png(pixels: Pixels, path: Path) -> None:
    """Write uint8 ``[H, W, 3]`` pixels. Raises ``OSError``."""
    Image.fromarray(pixels).save(path)


def read_png(path: Path) -> Pixels:
    """Read uint8 ``[H, W, 3]`` pixels. Raises ``OSError``, also for a file that is not a picture."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (SyntaxError, ValueError) as error:  # Pillow raises this for a truncated file
        msg = f"{path.name}: {error}"
        raise OSError(msg) from error
