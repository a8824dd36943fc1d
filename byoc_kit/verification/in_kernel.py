"""What runs in the notebook's kernel, after its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from byoc_kit.errors import ByocKitError, cell_name

if TYPE_CHECKING:  # the notebook's first cell may set what torch reads when it is imported
    from byoc_kit.verification.replay import Replay, Task

_NAME = re.compile(r"Cell In\[(\d+)\]")


def replay_in_kernel(namespace: Mapping[str, Any], task_file: str, notebook: str, cells: Mapping[int, int]) -> None:
    """Run a namespace's hooks over the task's clip, and save the result in the task's folder.

    ``cells`` maps the number of an execution to the number of the notebook's cell.
    """
    from byoc_kit.verification.replay import Task

    task = Task.load(task_file)
    _run(task, namespace, notebook, cells).save()


def _run(task: Task, namespace: Mapping[str, Any], notebook: str, cells: Mapping[int, int]) -> Replay:
    from byoc_kit.core.hooks import Hooks
    from byoc_kit.core.processor import FrameProcessor
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
    """Name the innermost cell and line of the notebook, or those of the hook if its result was wrong."""
    lines = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    for file, line in [*reversed(lines), hook]:
        found = _NAME.fullmatch(cell_name(file) or "")
        if found:
            return f"{notebook}, cell {cells.get(int(found[1]), '?')}, line {line}"
    return notebook
