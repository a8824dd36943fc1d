"""``byoc-kit verify``: stream a clip through a bundle in real time and judge what comes back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.bundle.load import Bundle, load_processor, read_bundle
from byoc_kit.bundle.module import render_module
from byoc_kit.errors import ByocKitError
from byoc_kit.media.clip import live_clip, save_mp4
from byoc_kit.notebook.read import NotebookError, read_notebook
from byoc_kit.verify.judge import judge
from byoc_kit.verify.live import Where, stream_clip
from byoc_kit.verify.report import print_table, write_report
from byoc_kit.verify.result import Limits, Result

_BUSY = 0.75
_CLIP_ENDINGS = {".mp4", ".mkv", ".mov", ".ts", ".webm"}


@dataclass(frozen=True)
class Request:
    """What to verify, with which clip (default: the first beside the notebook, in ``clips/``) and parameters."""

    bundle: Path
    where: Where
    clip: Path | None
    params: Mapping[str, Any]
    report: Path | None
    limits: Limits


def verify(request: Request) -> int:
    """Verify a bundle; prints the verdict and the report's path. Returns 0, or 1 where something falls short.

    Raises :class:`ByocKitError` where the stream could not be run at all.
    """
    bundle = read_bundle(request.bundle)
    clip = request.clip or _example_clip(bundle)
    processor = load_processor(bundle)
    params = processor.hooks.params_type().updated(request.params)
    live = live_clip(clip)
    _warn_if_busy()
    result = Result(request.limits, drift=_drift(bundle))
    received = asyncio.run(stream_clip(bundle, request.where, live, dict(request.params), result, say=_say))
    folder = request.report or Path("reports") / bundle.name
    folder.mkdir(parents=True, exist_ok=True)
    if received.arrived_s:
        save_mp4(bytes(received.data), folder / "output.mp4")
    _say("comparing with what the notebook's process_frame makes of the same frames")
    asyncio.run(processor.load_model())
    pictures = judge(result, live, received, lambda frame: processor.process(frame, params))
    report = write_report(folder, bundle, clip, result, pictures, params.model_dump(mode="json"))
    print_table(result)
    print(f"report: {report}")  # noqa: T201  # a command's last line
    return 0 if result.is_met else 1


def _warn_if_busy() -> None:
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load > _BUSY * cpus:
        _say(f"this machine is busy (load {load:.1f} on {cpus} CPUs): frames may be late, or dropped for newer ones")


def _example_clip(bundle: Bundle) -> Path:
    folder = bundle.notebook.parent.resolve() / "clips"
    clips = sorted(path for path in folder.glob("*") if path.suffix in _CLIP_ENDINGS)
    if not clips:
        msg = f"there is no clip in {folder}; give one with --clip"
        raise ByocKitError(msg)
    return clips[0]


def _drift(bundle: Bundle) -> str | None:
    """Say how the bundle differs from its notebook; ``None`` where it does not."""
    try:
        module = render_module(read_notebook(bundle.notebook))
    except NotebookError as error:
        return f"the notebook cannot be compared: {error}"
    if module.source != (bundle.folder / "processor.py").read_text():
        return f"{bundle.notebook.name} has changed since the export; export it again"
    return None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
