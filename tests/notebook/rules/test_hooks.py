import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, said


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("def load_models(): pass", True),
        ("async def on_stream_started(params): pass", True),
        ("def load_models(): pass\nload_models()", False),
        ("def load_models(): pass\ndef load_model(): pass", False),
        ("def postprocess_frame(frame): return frame", False),
        ("def load_weights(): pass", False),
        ("def load(): pass\nload()", False),
        ("def load(): pass\ntable = {'load': load}", False),
        ("class Net:\n    def load(self): pass", False),
        ("def load(): pass\ndef load_model(): load()", False),
        ("def load(): pass\ndef load_model(): pass", False),
        ("import json\nload = json.load", False),
        ("import atexit\n@atexit.register\ndef cleanup(): pass", False),
        ("import torch\n@torch.no_grad()\ndef load(): pass", True),
    ],
)
def test_a_function_that_is_named_nearly_like_a_hook(make_sound, source, is_found):
    assert [finding.code for finding in check(make_sound(source))] == ["hook-name"] * is_found


@pytest.mark.parametrize(
    ("source", "hook"),
    [
        ("def on_start(params): pass", "on_stream_start"),
        ("def on_stream_begin(params): pass", "on_stream_start"),
        ("def stream_started(params): pass", "on_stream_start"),
        ("def onStreamStart(params): pass", "on_stream_start"),
        ("def on_stop(): pass", "on_stream_stop"),
        ("def on_stream_end(): pass", "on_stream_stop"),
        ("def on_stream_ended(): pass", "on_stream_stop"),
        ("def stop_stream(): pass", "on_stream_stop"),
        ("def load(): pass", "load_model"),
        ("async def setup(): pass", "load_model"),
        ("def loadModel(): pass", "load_model"),
        ("def process_sound(frame): return frame", "process_audio"),
    ],
)
def test_a_name_that_one_might_take_for_a_hooks_is_met_with_the_hook(make_sound, source, hook):
    name = source.partition("def ")[2].partition("(")[0]
    [text] = said(make_sound(source))
    assert f"{name} is not called by anything; did you mean {hook}? [hook-name]" in text


@pytest.mark.parametrize("name", ["process", "process_image", "process_video", "on_frame", "processFrame"])
def test_another_name_in_place_of_process_frame(make, name):
    found = check(make(("byoc", CAPABILITY), ("byoc", f"def {name}(frame): return frame")))
    assert [finding.code for finding in found] == ["no-process-frame", "hook-name"]
    assert found[1].hint == "did you mean process_frame?"


def test_no_process_frame(make):
    assert said(make(("byoc", CAPABILITY))) == [
        "effects.ipynb: no tagged cell defines process_frame; define process_frame(frame) or "
        "process_frame(frame, params) in a tagged cell [no-process-frame]"
    ]


def test_no_process_frame_but_in_an_untagged_cell(make):
    assert said(make(("byoc", CAPABILITY), ("", f"%time\n{PROCESS_FRAME}"))) == [
        "effects.ipynb: no tagged cell defines process_frame; cell 2 defines it; tag that cell `byoc` "
        "[no-process-frame]"
    ]


@pytest.mark.parametrize("second", [PROCESS_FRAME, "process_frame = len", "from os import fspath as process_frame"])
def test_two_process_frames(make_sound, second):
    notebook = make_sound(PROCESS_FRAME, f"\n{second}")
    assert str(check(notebook)[0]) == (
        "effects.ipynb, cell 2, line 2: process_frame is defined a second time (first in cell 1); "
        "keep one of them tagged [shadowed-hook]"
    )


def test_a_cell_twice_is_two_process_frames(make_sound):
    [finding] = check(make_sound(PROCESS_FRAME))
    assert (finding.code, finding.cell) == ("shadowed-hook", 3)


@pytest.mark.parametrize(
    "source",
    [
        "async def process_frame(frame):\n    return frame",
        "process_frame = lambda frame: frame",
        "from math import floor as process_frame",
        "if True:\n    def process_frame(frame): return frame\nelse:\n    def process_frame(frame): return frame",
        "def process_frame(frame): return frame\nprocess_frame = staticmethod(process_frame)",
    ],
)
def test_a_process_frame_may_come_by_any_statement(make, source):
    assert said(make(("byoc", CAPABILITY), ("byoc", source))) == []


@pytest.mark.parametrize("source", ["class Processor: ...", "Processor = 3", "import os as Processor"])
def test_reserved_name(make_sound, source):
    assert said(make_sound(source)) == [
        "effects.ipynb, cell 1, line 1: the name Processor is taken: the exporter adds a class of that name; "
        "rename yours [reserved-name]"
    ]


def test_byoc_kit_is_a_reserved_name_unless_it_is_the_package(make_sound):
    assert said(make_sound("import byoc_kit, byoc_kit.core.frames")) == []
    assert said(make_sound("import math as byoc_kit")) == [
        "effects.ipynb, cell 1, line 1: the name byoc_kit is taken: the exported module calls the package by it; "
        "rename yours [reserved-name]"
    ]


def test_process_audio_is_a_hook_like_the_others(make_sound):
    assert said(make_sound("async def process_audio(frame): ...")) == []


NO_RETURN = "def process_frame(frame) -> {}:\n    {}"


@pytest.mark.parametrize(
    ("returns", "body", "is_found"),
    [
        ("VideoFrame", "frame.pixels[:] = 0", True),
        ("torch.Tensor", "x = lambda: frame\n    def f(): return frame", True),
        ("'VideoFrame'", "return", True),
        ("VideoFrame", "return frame", False),
        ("VideoFrame", "if frame.pts: return frame", False),
        ("VideoFrame", "raise NotImplementedError", False),
        ("VideoFrame | None", "frame.pixels[:] = 0", False),
        ("None", "frame.pixels[:] = 0", False),
    ],
)
def test_a_process_frame_that_says_what_it_returns_and_does_not(make, returns, body, is_found):
    head = "import torch\nfrom byoc_kit import VideoFrame\n"
    found = check(make(("byoc", CAPABILITY), ("byoc", head + NO_RETURN.format(returns, body))))
    assert [finding.code for finding in found] == ["no-return"] * is_found
    assert all(finding.hint == "end it with `return frame`" for finding in found)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("def process_frame(frame):\n    frame.pixels[:] = 0", True),
        ("async def process_frame(frame):\n    frame.pixels[:] = 0", True),
        ("def process_frame(frame):\n    if frame.pts: return\n    frame.pixels[:] = 0", True),
        ("def process_frame(frame):\n    return None", False),
        ("import torch\n@torch.inference_mode()\ndef process_frame(frame):\n    frame.pixels[:] = 0", True),
        ("def process_frame(frame):\n    raise NotImplementedError", False),
        ("def process_frame(frame):\n    if frame.pts > 9: return frame", False),
        ("def process_frame(frame) -> None:\n    frame.pixels[:] = 0", False),
        ("from fx import returned\n@returned\ndef process_frame(frame):\n    frame.pixels[:] = 0", False),
    ],
)
def test_a_process_frame_without_a_return_is_found(make, source, is_found):
    found = [finding for finding in check(make(("byoc", CAPABILITY), ("byoc", source))) if finding.code == "no-return"]
    assert [finding.message for finding in found] == ["process_frame has no return: no frame goes out"] * is_found


@pytest.mark.parametrize(
    ("head", "codes"),
    [
        ("process_frame(frame, params)", []),
        ("process_frame(*frames)", []),
        ("process_frame(frame, /, *, params=None, **more)", []),
        ("process_frame(frame, settings: Settings)", []),
        ("process_frame(frame, gain: float)", ["hook-signature"]),
        ("process_frame(frame, *, gain)", ["hook-signature"]),
        ("process_frame()", ["hook-signature"]),
        ("process_frame(frame) -> 'VideoFrame | None'", []),
        ("process_frame(frame) -> 'str'", ["hook-annotation"]),
        ("process_frame(frame: AudioFrame)", ["hook-annotation"]),
        ("process_frame(frame: torch.Tensor)", ["hook-annotation"]),
        ("process_frame(frame: np.ndarray)", ["hook-annotation"]),
        ("load_model(path)", ["hook-signature"]),
        ("load_model(path='x')", []),
        ("on_stream_start()", ["hook-signature"]),
        ("on_stream_stop(params)", ["hook-signature"]),
        ("process_audio(frame) -> list[AudioFrame]", []),
        ("process_audio(frame: VideoFrame)", ["hook-annotation"]),
    ],
)
def test_signatures(make, head, codes):
    imports = "import byoc_kit, torch\nimport numpy as np\nfrom byoc_kit import AudioFrame, VideoFrame"
    imports += "\nclass Settings(byoc_kit.Params): ..."
    cells = [("byoc", imports), ("byoc", CAPABILITY), ("byoc", f"def {head}: return None")]
    if not head.startswith("process_frame"):
        cells.append(("byoc", PROCESS_FRAME))
    assert [finding.code for finding in check(make(*cells))] == codes


def test_a_generator_is_no_hook(make):
    [finding] = check(make(("byoc", CAPABILITY), ("byoc", "def process_frame(frame):\n    yield frame")))
    assert finding.message == "process_frame is a generator: it yields, and its result is what it returns"
