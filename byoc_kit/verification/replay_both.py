"""Runs the clip through the notebook and through the exported module, without a server or a codec in between."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.media.paced_clip import LiveClip
from byoc_kit.verification.module_run import replay_module
from byoc_kit.verification.notebook_run import replay_notebook
from byoc_kit.verification.replay import Replay, Task

# The kept frames of a replay go to disk; /tmp may be in memory.
_FRAMES, _BYTES = 60, 256 << 20
_FEWEST = 5
_SAY_EACH_S = 10.0


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
