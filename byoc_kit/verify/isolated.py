"""The exported module over a clip, in an interpreter that has nothing but the locked requirements."""

from __future__ import annotations

from byoc_kit.bundle.load import Bundle, BundleError, load_processor, read_bundle, schema_drift
from byoc_kit.errors import in_one_line
from byoc_kit.orphans import end_with_parent
from byoc_kit.sourcemap import locate
from byoc_kit.verify.replay import Fault, Replay, Task, replay


def main(task_file: str, folder: str) -> None:
    """Load a bundle's processor, run the task, and leave what came of it in the task's folder."""
    end_with_parent()
    task = Task.load(task_file)
    _run(task, read_bundle(folder)).save()


def _run(task: Task, bundle: Bundle) -> Replay:
    try:
        processor = load_processor(bundle)
    except BundleError as error:
        return Replay.broken(task, Fault.LOAD, _why(error, bundle))
    found = replay(processor, task, processor.where, make_fresh=lambda: load_processor(bundle))
    return Replay(**{**vars(found), "drift": schema_drift(bundle, processor)})


def _why(error: BundleError, bundle: Bundle) -> str:
    cause = error.__cause__
    if not isinstance(cause, ModuleNotFoundError):
        return str(error)
    file = str((bundle.folder / "processor.py").resolve())
    place = locate(cause.__traceback__, file, bundle.source_map)
    return f"{place}: {in_one_line(cause)}; requirements.lock brings none: export the notebook again"
