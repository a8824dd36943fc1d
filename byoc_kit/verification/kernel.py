"""What runs in the notebook's kernel, before its cells and after them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from importlib import import_module
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from byoc_kit.errors import ByocKitError, cell_name

if TYPE_CHECKING:  # the notebook's first cell may set what torch reads when it is imported
    from byoc_kit.jupyter.preview.function_version import Version
    from byoc_kit.jupyter.preview.headless import StaticPreview
    from byoc_kit.jupyter.preview.interface import Preview
    from byoc_kit.verification.replay import Replay, Task

_NAME = re.compile(r"Cell In\[(\d+)\]")


def keep_previews_still() -> None:
    """Let previews show the clip's first frame and process none; in place of a live source they show a pattern.

    Nobody looks on, and what a stateful hook remembers of a preview would be taken for the model's.
    """
    module: Any = import_module("byoc_kit.jupyter.preview")
    shown = module.preview

    def still(*arguments: Any, **options: Any) -> Preview:
        start: Any = import_module("byoc_kit.jupyter.preview.start")
        headless = import_module("byoc_kit.jupyter.preview.headless")
        start.StaticPreview = partial(_still, headless)
        preview: Preview = shown(*arguments, **options)
        return preview

    module.preview = still


def _still(headless: Any, version: Version, source: Any, **options: Any) -> StaticPreview:
    try:
        shown: StaticPreview = headless.StaticPreview(version, source, frames=0, **options)
    except headless.LiveSourceError:
        shown = headless.StaticPreview(version, "synthetic", frames=0, **options)
    return shown


def replay_notebook(namespace: Mapping[str, Any], task_file: str, notebook: str, cells: Mapping[int, int]) -> None:
    """Run the hooks that a namespace has over the task's clip, and leave what came of it in the task's folder.

    ``cells`` has the number of the notebook's cell by the number of its execution.
    """
    from byoc_kit.verification.replay import Task

    task = Task.load(task_file)
    _run(task, namespace, notebook, cells).save()


def _run(task: Task, namespace: Mapping[str, Any], notebook: str, cells: Mapping[int, int]) -> Replay:
    from byoc_kit.core.processor import FrameProcessor, Hooks
    from byoc_kit.verification.replay import Fault, Replay, replay

    optional = {field.name for field in fields(Hooks)} - {"process_frame", "params_type"}
    hooks = {name: namespace[name] for name in optional if callable(namespace.get(name))}
    if "process_frame" not in namespace:
        return Replay.broken(task, Fault.LOAD, f"{notebook} defines no process_frame")
    try:
        processor = FrameProcessor(Hooks.of(namespace["process_frame"], **hooks))
    except ByocKitError as error:
        return Replay.broken(task, Fault.LOAD, f"{notebook}: {error}")
    return replay(processor, task, lambda hook, error: _place(processor.line_of(hook), error, notebook, cells))


def _place(hook: tuple[str, int | None], error: BaseException, notebook: str, cells: Mapping[int, int]) -> str:
    """Name the innermost cell and line of the notebook; those of the hook where its result was wrong."""
    lines = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    for file, line in [*reversed(lines), hook]:
        found = _NAME.fullmatch(cell_name(file) or "")
        if found:
            return f"{notebook}, cell {cells.get(int(found[1]), '?')}, line {line}"
    return notebook
