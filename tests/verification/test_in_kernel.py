from byoc_kit.verification.in_kernel import replay_in_kernel
from byoc_kit.verification.replay import Fault, Replay


def replayed(task, **namespace):
    replay_in_kernel(namespace, str(task.save()), "effects.ipynb", {})
    return Replay.load(task.folder)


def test_the_hooks_of_a_namespace_run_over_the_clip(make_task):
    started = []
    found = replayed(
        make_task("notebook"), process_frame=lambda frame: frame.pixels // 2, on_stream_start=started.append, other=1
    )
    assert found.failure == ""
    assert [frame.outcome for frame in found.frames] == ["made"] * 10
    assert len(started) == 1


def test_a_namespace_without_process_frame_is_one_sentence(make_task):
    found = replayed(make_task("notebook"), load_model=print)
    assert (found.fault, found.failure) == (Fault.LOAD, "effects.ipynb defines no process_frame")


def test_a_process_frame_that_cannot_be_called_names_the_notebook(make_task):
    found = replayed(make_task("notebook"), process_frame=lambda frame, gain: frame)
    assert found.fault is Fault.LOAD
    assert found.failure.startswith("effects.ipynb: process_frame cannot be called: nothing is there to give gain; ")


def test_an_error_without_a_cell_is_placed_in_the_notebook(make_task):
    found = replayed(make_task("notebook"), process_frame=lambda frame: 1 / 0)
    assert found.frames[0].error == "ZeroDivisionError: division by zero (effects.ipynb)"
