"""``byoc-kit verify``: runs a clip through notebook, module, server and container, and compares the results."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av

from byoc_kit.bundle.drift import why_bundle_is_stale
from byoc_kit.bundle.folders import report_folder
from byoc_kit.bundle.manifest import read_manifest
from byoc_kit.core.assets import bundle_file
from byoc_kit.core.bundle_reader import Bundle, read_bundle
from byoc_kit.core.params import ParamsError, check_names
from byoc_kit.errors import ByocKitError
from byoc_kit.media.mp4 import save_mp4
from byoc_kit.media.paced_clip import LiveClip, live_clip
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import read_notebook
from byoc_kit.notebook.params_class import read_params
from byoc_kit.notebook.static_eval import NotStatic
from byoc_kit.system.files import sha256_of
from byoc_kit.verification.compare import compare_replays, compare_streamed
from byoc_kit.verification.module_run import replay_module
from byoc_kit.verification.notebook_run import replay_notebook
from byoc_kit.verification.replay import Fault, Replay, Task
from byoc_kit.verification.report import output_path, write_report
from byoc_kit.verification.result import Limits, Result, Streamed
from byoc_kit.verification.stream_clip import require_target, stream_clip
from byoc_kit.verification.target import Where

_BUSY = 0.75
_CLIP_ENDINGS = {".mp4", ".mkv", ".mov", ".ts", ".webm"}
# The kept frames of a replay go to disk; /tmp may be in memory.
_FRAMES, _BYTES = 60, 256 << 20
_FEWEST = 5
_SAY_EACH_S = 10.0


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
    require_known(bundle, request.params)
    clip = request.clip or _example_clip(bundle)
    live = live_clip(clip)
    for note in live.notes:
        _say(note)
    if busy := _busy():
        _say(f"this machine is busy ({busy}): frames may be late, or dropped for newer ones")
    # A bundle may have been copied without its notebook.
    has_notebook = request.with_notebook or bundle.notebook.is_file()
    drift = why_bundle_is_stale(bundle) if has_notebook else None
    result = Result(request.limits, drift=drift, has_notebook=has_notebook, busy=busy)
    folder = request.report or report_folder(bundle.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="byoc-kit-verify-") as scratch:
        _run(request, bundle, live, result, scratch=Path(scratch), report=folder)
    result.report = write_report(folder, bundle, clip, result)
    return result


def require_known(bundle: Bundle, params: Mapping[str, Any]) -> None:
    """Refuse a parameter that the model does not have, where the notebook says so without running.

    Raises ``ByocKitError`` naming the parameters that it has.
    """
    if not params or not bundle.notebook.is_file():
        return
    found = read_params(Analysis(read_notebook(bundle.notebook)))
    if isinstance(found, NotStatic):
        return
    try:
        check_names(found.type, params)
    except ParamsError as error:
        fields = ", ".join(found.type.model_fields)
        has = f"it has {fields}" if fields else "it has no parameters"
        msg = f"{error} ({has})" if str(error).endswith("?") else f"{error}; {has}"
        raise ByocKitError(msg) from None


def _run(request: Request, bundle: Bundle, clip: LiveClip, result: Result, *, scratch: Path, report: Path) -> None:
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


async def run_both(
    bundle: Bundle, clip: LiveClip, params: Mapping[str, Any], kept: tuple[int, ...], folder: Path, *,
    timeout_s: float, with_notebook: bool, max_diff: int = 0, say: Callable[[str], None],
) -> tuple[Replay | None, Replay]:  # fmt: skip
    """Run the notebook, unless it is left out, and the module over a clip; ``folder`` takes the kept frames.

    Both start at the same time, but process their frames one after the other. A second stream of the module may differ
    by ``max_diff`` of 255 from its first. ``say`` gets texts about their progress.
    """
    file = folder / "clip.ts"
    file.write_bytes(clip.data)
    names = ("notebook", "module") if with_notebook else ("module",)
    tasks = {name: Task(file, params, kept, folder / name, max_diff if name == "module" else None) for name in names}
    telling = asyncio.create_task(_tell(tasks, len(clip.picture_times_s), say))
    try:
        # The module may have to wait until the notebook's frames are done.
        module = replay_module(bundle, tasks["module"], timeout_s=timeout_s * len(tasks))
        if not with_notebook:
            return None, await module
        notebook = replay_notebook(bundle.notebook, tasks["notebook"], timeout_s=timeout_s)
        both: tuple[Replay, Replay] = await asyncio.gather(notebook, module)
        return both
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def _tell(tasks: Mapping[str, Task], frames: int, say: Callable[[str], None]) -> None:
    """Say now and then how many frames are done, so that a slow model does not seem to hang."""
    while True:
        await asyncio.sleep(_SAY_EACH_S)
        say("; ".join(f"{name}: {task.progress(of=frames)}" for name, task in tasks.items()))


def golden_frames(clip: LiveClip) -> tuple[int, ...]:
    """Return the numbers of the frames to compare, spread evenly from the first to the last."""
    count = len(clip.picture_times_s)
    first = next(clip.frames(), None)
    if first is None:
        return ()
    most = max(_FEWEST, min(_FRAMES, _BYTES // (first.width * first.height * 3)))
    return tuple(sorted({*range(0, count, math.ceil(count / most)), count - 1}))


@contextmanager
def assets_put_back(bundle: Bundle, scratch: Path) -> Iterator[list[str]]:
    """Restore each asset beside the notebook that the body changes or removes; the list then has their names.

    A notebook may train its model and save the weights. Running it must not replace the exported ones.
    """
    changed: list[str] = []
    originals = dict(_originals(bundle, scratch))
    try:
        yield changed
    finally:
        for path, (original, sha256) in originals.items():
            if path.is_file() and sha256_of(path) == sha256:
                continue
            changed.append(path.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            shutil.copyfile(original, new)
            new.replace(path)


def _originals(bundle: Bundle, scratch: Path) -> Iterator[tuple[Path, tuple[Path, str]]]:
    """Yield each asset beside the notebook with another file of the same bytes, and their hash.

    The bundle has such a file for each asset that is unchanged since the export; only other assets are copied.
    """
    assets = read_manifest(bundle.folder).get("assets")
    for number, name in enumerate(assets if isinstance(assets, dict) else ()):
        path = bundle.notebook.parent / name
        if not path.is_file():
            continue
        sha256 = sha256_of(path)
        exported = bundle.folder / bundle_file(name, sha256)
        if not exported.is_file() or sha256_of(exported) != sha256:
            exported = scratch / f"asset-{number}"
            shutil.copyfile(path, exported)
        yield path, (exported, sha256)


def _save(data: bytes, path: Path) -> None:
    try:
        save_mp4(data, path)
    except av.FFmpegError as error:  # a stream that broke off may have too few bytes
        path.unlink(missing_ok=True)
        _say(f"what came back is not a whole video ({error}): the report has none")


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
