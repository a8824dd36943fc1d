import sys

import numpy as np
import pytest
import torch
from pydantic import Field

import byoc_kit
from byoc_kit import VideoFrame
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.function_version import Version

FRAME = VideoFrame.from_pixels(np.zeros((16, 16, 3), np.uint8))
NOTEBOOK = """
calls = []

def load_model():
    calls.append("load")

def on_stream_start(params):
    calls.append("start")

def on_stream_stop():
    calls.append("stop")

def process_frame(frame):
    calls.append("frame")
    return frame
"""


@pytest.fixture
def namespace(monkeypatch):
    """The names of a notebook that ran these cells."""
    namespace = {"__name__": "__main__"}
    exec(NOTEBOOK, namespace)  # noqa: S102
    return namespace


def run(version):
    return version.process(FRAME, version.params)


def test_the_model_is_loaded_and_the_stream_begun_before_the_first_frame(namespace):
    version = Version(namespace["process_frame"])
    run(version)
    run(version)
    assert namespace["calls"] == ["load", "start", "frame", "frame"]


def test_a_decorator_of_another_module_hides_no_hook(namespace):
    plain = Version(namespace["process_frame"]).hooks
    decorated = Version(torch.inference_mode()(namespace["process_frame"])).hooks
    assert plain.load_model is not None
    assert decorated.load_model is plain.load_model
    assert decorated.on_stream_start is plain.on_stream_start


def test_another_process_frame_does_not_load_the_same_model_again(namespace):
    first = Version(namespace["process_frame"])
    run(first)
    exec("def process_frame(frame):\n    calls.append('new')\n    return frame", namespace)  # noqa: S102
    run(first.with_function(namespace["process_frame"]))
    assert namespace["calls"] == ["load", "start", "frame", "new"]


def test_another_load_model_is_run(namespace):
    first = Version(namespace["process_frame"])
    run(first)
    exec(NOTEBOOK.replace("calls = []", ""), namespace)  # noqa: S102
    run(first.with_function(namespace["process_frame"]))
    assert namespace["calls"] == ["load", "start", "frame", "load", "start", "frame"]


def test_a_frame_of_another_stream_ends_the_one_before(namespace):
    version = Version(namespace["process_frame"])
    for stream in (0, 0, 1):
        frame = VideoFrame.from_pixels(np.zeros((16, 16, 3), np.uint8))
        frame.side_data.stream = stream
        version.process(frame, version.params)
    assert namespace["calls"] == ["load", "start", "frame", "frame", "stop", "start", "frame"]


def test_a_stream_that_has_not_begun_is_not_ended_and_one_that_has_only_once(namespace):
    version = Version(namespace["process_frame"])
    version.end_stream()
    run(version)
    version.end_stream()
    version.end_stream()
    assert namespace["calls"] == ["load", "start", "frame", "stop"]


def test_a_stream_is_ended_without_a_hook_that_begins_it(namespace):
    del namespace["on_stream_start"]
    version = Version(namespace["process_frame"])
    version.end_stream()
    run(version)
    version.end_stream()
    version.end_stream()
    assert namespace["calls"] == ["load", "frame", "stop"]


def test_a_function_that_is_compared_shares_the_hooks(namespace):
    version = Version(namespace["process_frame"])
    exec("def other(frame):\n    calls.append('other')\n    return frame", namespace)  # noqa: S102
    compared = version.with_function(namespace["other"])
    run(version)
    compared.run_on_copy(FRAME, version.params)
    version.end_stream()
    assert namespace["calls"] == ["load", "start", "frame", "other", "stop"]


COUNTING = """
import byoc_kit
counts = []

def on_stream_start(params):
    byoc_kit.stream_state().count = 0

def process_frame(frame):
    byoc_kit.stream_state().count += 1
    counts.append(byoc_kit.stream_state().count)
    return frame
"""


@pytest.mark.parametrize(("cell", "counts"), [("process_frame", [1, 2, 3]), ("on_stream_start", [1, 2, 1])])
def test_the_streams_state_begins_anew_where_on_stream_start_runs_again(namespace, cell, counts):
    exec(COUNTING, namespace)  # noqa: S102
    first = Version(namespace["process_frame"])
    run(first)
    run(first)
    kept = namespace["on_stream_start"]
    exec(COUNTING.replace("counts = []", ""), namespace)  # noqa: S102
    if cell == "process_frame":
        namespace["on_stream_start"] = kept
    run(first.with_function(namespace["process_frame"]))
    assert namespace["counts"] == counts


def test_the_streams_state_is_new_for_another_stream(namespace):
    exec(COUNTING, namespace)  # noqa: S102
    version = Version(namespace["process_frame"])
    for stream in (0, 0, 1):
        frame = VideoFrame.from_pixels(np.zeros((16, 16, 3), np.uint8))
        frame.side_data.stream = stream
        version.process(frame, version.params)
    assert namespace["counts"] == [1, 2, 1]


def test_a_function_that_is_compared_has_the_same_state_on_a_thread_of_its_own(namespace):
    exec(COUNTING, namespace)  # noqa: S102
    version = Version(namespace["process_frame"])
    with byoc_kit.Stage(version, lambda _: None) as stage:
        stage.submit(FRAME)
    exec("def other(frame):\n    counts.append(byoc_kit.stream_state().count)\n    return frame", namespace)  # noqa: S102
    version.with_function(namespace["other"]).run_on_copy(FRAME, version.params)
    assert namespace["counts"] == [1, 1]


def test_the_parameters_class_is_the_one_that_was_defined_last(namespace):
    cell = "import byoc_kit\nclass Look(byoc_kit.Params):\n    gain: float = {}"
    exec(cell.format(1), namespace)  # noqa: S102
    exec("def process_frame(frame, params: Look):\n    return frame", namespace)  # noqa: S102
    assert Version(namespace["process_frame"]).params.gain == 1
    exec(cell.format(2), namespace)  # noqa: S102
    assert Version(namespace["process_frame"]).params.gain == 2


def test_a_load_model_that_fails_fails_the_frame_and_is_tried_again(namespace):
    def load_model():
        namespace["calls"].append("load")
        if len(namespace["calls"]) == 1:
            raise OSError("no weights")

    namespace["load_model"] = load_model
    version = Version(namespace["process_frame"])
    with pytest.raises(OSError, match="no weights"):
        run(version)
    run(version)
    assert namespace["calls"] == ["load", "load", "start", "frame"]


def test_a_function_of_a_module_comes_without_hooks(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "load_model", lambda: 1 / 0, raising=False)

    def process_frame(frame):
        return frame

    assert run(Version(process_frame)).pixels.shape == (16, 16, 3)


def test_values_that_fit_are_carried_over_and_others_are_not():
    class Before(byoc_kit.Params):
        gain: float = 2.0
        mode: str = "soft"
        gone: int = 1

    class After(byoc_kit.Params):
        gain: float = 1.0
        mode: int = 3
        new: int = 5

    def process_frame(frame, params: After):
        return frame

    assert Version(process_frame).carried_over(Before(gain=3.0)) == After(gain=3.0, mode=3, new=5)


def test_a_parameter_without_default_is_named():
    class Params(byoc_kit.Params):
        gain: float

    def process_frame(frame, params: Params):
        return frame

    with pytest.raises(ByocKitError, match="no stream can start with the default of gain: Field required; give"):
        Version(process_frame)


def test_a_default_that_does_not_fit_is_named():
    class Params(byoc_kit.Params):
        gain: float = Field(9, le=4)

    def process_frame(frame, params: Params):
        return frame

    with pytest.raises(ByocKitError, match="default of gain: Input should be less than or equal to 4; give"):
        Version(process_frame)
