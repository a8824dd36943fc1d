"""``byoc-kit verify``: runs a clip through notebook, module, server and container, and compares the results."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av

from byoc_kit.bundle.drift import why_bundle_is_stale
from byoc_kit.bundle.folders import report_folder
from byoc_kit.core.bundle_reader import Bundle, read_bundle
from byoc_kit.errors import ByocKitError
from byoc_kit.media.mp4 import save_mp4
from byoc_kit.media.paced_clip import LiveClip, live_clip
from byoc_kit.verification.compare import compare_replays, compare_streamed
from byoc_kit.verification.put_back import assets_put_back
from byoc_kit.verification.replay import Fault
from byoc_kit.verification.replay_both import golden_frames, run_both
from byoc_kit.verification.report import output_path, write_report
from byoc_kit.verification.result import Result
from byoc_kit.verification.stream_clip import require_target, stream_clip
from byoc_kit.verification.streamed import Limits, Streamed
from byoc_kit.verification.target import Where

_BUSY = 0.75
_CLIP_ENDINGS = {".mp4", ".mkv", ".mov", ".ts", ".webm"}


@dataclass(frozen=True)
class Request:
    """What to verify, with which clip (by default the first in ``clips/`` beside the notebook) and which parameters.

    ``ways`` are the servers and containers to use, one after the other. ``timeout_s`` is the time limit for the
    notebook's cells and frames, and for the module's.
    """

    bundle: Path
    ways: Sequence[Where]
    clip: Path | None
    params: Mapping[str, Any]
    report: Path | None
    limits: Limits
    with_notebook: bool = True
    timeout_s: float = 300.0


def verify(request: Request) -> Result:
    """Verify a bundle, report progress on stderr, and write the report.

    A server or container that does not start, or dies, is a failed check. Raises ``ByocKitError`` if there is nothing
    to verify: no bundle, clip, engine or image, or parameters that do not fit.
    """
    bundle = read_bundle(request.bundle)
    for where in request.ways:
        require_target(bundle, where)
    clip = request.clip or _example_clip(bundle)
    live = live_clip(clip)
    for note in live.notes:
        _say(note)
    if busy := _busy():
        _say(f"this machine is busy ({busy}): frames may be late, or dropped for newer ones")
    has_notebook = (
        request.with_notebook or bundle.notebook.is_file()
    )  # a bundle may have been copied without its notebook
    drift = why_bundle_is_stale(bundle) if has_notebook else None
    result = Result(request.limits, drift=drift, has_notebook=has_notebook, busy=busy)
    folder = request.report or report_folder(bundle.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="byoc-kit-verify-") as scratch:
        _run(request, bundle, live, result, Path(scratch), folder)
    result.report = write_report(folder, bundle, clip, result)
    return result


def _run(request: Request, bundle: Bundle, clip: LiveClip, result: Result, scratch: Path, report: Path) -> None:
    """Fill the result."""
    params = dict(request.params)
    kept = golden_frames(clip)
    _say("running the notebook and the module over the clip" if request.with_notebook else "running the module")
    with assets_put_back(bundle, scratch) as result.put_back:
        result.notebook, result.module = asyncio.run(
            run_both(
                bundle, clip, params, kept, scratch, timeout_s=request.timeout_s, with_notebook=request.with_notebook,
                max_diff=request.limits.max_diff, say=_say,
            )
        )  # fmt: skip
    if result.notebook is not None and not (result.notebook.fault or result.module.fault):
        result.difference = compare_replays(result.notebook, result.module)
    if result.module.fault is Fault.PARAMS:
        raise ByocKitError(result.module.failure)
    result.drift = result.drift or result.module.drift
    for kind in ("server", "container"):
        output_path(report, kind).unlink(missing_ok=True)
    for where in request.ways:
        if where.is_here and result.module.fault is Fault.LOAD:
            result.not_served = "the module does not load"
            continue
        streamed = Streamed(where)
        result.streams.append(streamed)
        received = asyncio.run(stream_clip(bundle, clip, params, streamed, say=_say))
        if received.arrived_s:
            _save(bytes(received.data), output_path(report, where.kind))
        _say(f"comparing what came back from the {where.kind} with what the notebook makes of the same frames")
        compare_streamed(streamed, clip, received, result.truth, kept)


def _save(data: bytes, path: Path) -> None:
    try:
        save_mp4(data, path)
    except av.FFmpegError as error:  # a stream that broke off may have too few bytes
        path.unlink(missing_ok=True)
        _say(f"what came back is no whole video ({error}): the report has none")


def _busy() -> str:
    """Say how busy this machine is; empty if it is not."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    return f"load {load:.1f} on {cpus} CPUs" if load > _BUSY * cpus else ""


def _example_clip(bundle: Bundle) -> Path:
    folder = bundle.notebook.parent.resolve() / "clips"
    clips = sorted(path for path in folder.glob("*") if path.suffix in _CLIP_ENDINGS)
    if not clips:
        msg = f"there is no clip in {folder}; give one with --clip"
        raise ByocKitError(msg)
    return clips[0]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
