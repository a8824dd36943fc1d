import json

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.notebook_file import parse_notebook

HEAD = "import collections, torch\nprev, state, count = None, {}, 0\nbuffer = collections.deque(maxlen=8)"
SIZES = "SIDE = 8\nSMALL = (SIDE, 4)"


def kept(make, body, *sources):
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    hook = f"def process_frame(frame, params):\n    global prev, count\n{lines}\n    return frame"
    cells = [("byoc", source) for source in (HEAD, SIZES, *sources, hook, CAPABILITY)]
    return [finding.message.split()[2] for finding in check(make(*cells)) if finding.code == "kept-frame"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("prev = frame.tensor", "prev"),
        ("x = frame.tensor / 255\nprev = 0.9 * x + 0.1 * (x if prev is None else prev)", "prev"),
        ("state['last'] = frame.pixels.copy()", "state"),
        ("buffer.append(frame.tensor)", "buffer"),
        ("prev = torch.mean(frame.tensor, dim=1)", "prev"),
        ("remember(frame.tensor)", "state"),
        ("prev = cv2.resize(frame.pixels, None, fx=0.5, fy=0.5)", "prev"),
        ("prev = cv2.resize(frame.pixels, (64, frame.height))", "prev"),
        ("prev = resize(frame.tensor, SIDE)", "prev"),
    ],
)
def test_what_is_made_of_a_frame_and_stays(make, body, name):
    helper = "def remember(picture):\n    state['last'] = picture"
    assert kept(make, body, helper) == [name]
    resets = f"def on_stream_start(params):\n    global prev\n    {name}{' = None' if name == 'prev' else '.clear()'}"
    assert kept(make, body, helper, resets) == []
    assert kept(make, body, helper, f"def clear(): {name}.clear()\ndef on_stream_stop(): clear()") == []


@pytest.mark.parametrize(
    "body",
    [
        "count += 1",
        "prev = frame.timestamp",
        "prev = float(frame.tensor.max())",
        "prev = frame.tensor.mean().item()",
        "prev = params.gain",
        "local = frame.tensor",
        "if prev is None or prev.shape != frame.tensor.shape:\n    prev = frame.tensor",
        "buffer.append(frame.time_s)",
        "prev = frame.width > 3",
        "prev = cv2.resize(frame.pixels, (64, 36))",
        "prev = cv2.cvtColor(cv2.resize(frame.pixels, SMALL), cv2.COLOR_RGB2GRAY)",
        "small = F.interpolate(frame.tensor.permute(0, 3, 1, 2), size=(SIDE, SIDE))\nprev = small",
        "prev = np.histogram(frame.pixels, bins=32)[0]",
        "buffer.append(cv2.calcHist([frame.pixels], [0], None, [32], [0, 256]))",
        "state[frame.pixels.shape] = frame.pixels",
        "state.setdefault((frame.width, frame.height), torch.zeros_like(frame.tensor))",
        "key = frame.tensor.shape\nif key not in state:\n    state[key] = torch.zeros_like(frame.tensor)",
    ],
)
def test_what_fits_a_stream_of_any_size(make, body):
    assert kept(make, body) == []


SEVERAL = CAPABILITY.replace(")", ", capacity=4)")


@pytest.mark.parametrize(
    ("body", "is_shared"),
    [
        ("global count\n    count += 1", True),
        ("state['n'] = 1", True),
        ("del state['n']", True),
        ("state['a']['b'] = 1", True),
        ("state.update(n=1)", True),
        ("model.mode = 2", True),
        ("state = {}\n    state['n'] = 1", False),
        ("local = []\n    local.append(1)", False),
        ("return state['n']", False),
        ("count = 1", False),
    ],
)
def test_state_that_streams_would_share(make, body, is_shared):
    source = f"count, state, model = 0, {{}}, object()\ndef process_frame(frame):\n    {body}\n    return frame"
    assert [f.code for f in check(make(("byoc", SEVERAL), ("byoc", source)))] == ["shared-state"] * is_shared
    assert check(make(("byoc", CAPABILITY), ("byoc", source))) == []


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("global count\n    count = 0", ["shared-start"]),
        ("seen.clear()", []),  # said of process_frame already
        ("byoc_kit.stream_state().count = 0", []),
        ("state = byoc_kit.stream_state()\n    state.count = 0", []),
    ],
)
@pytest.mark.parametrize("hook", ["on_stream_start(params)", "on_stream_stop()"])
def test_state_that_a_start_or_an_end_changes_for_other_streams(make, hook, body, codes):
    frame = "seen.append(frame)\n    return frame"
    source = f"import byoc_kit\ncount, seen = 0, []\ndef process_frame(frame):\n    {frame}\ndef {hook}:\n    {body}"
    assert [f.code for f in check(make(("byoc", SEVERAL), ("byoc", source)))] == ["shared-state", *codes]


USES = "def process_frame(frame):\n    return frame * GAIN"


def rebound(make, *cells):
    findings = check(make(*cells, ("byoc", CAPABILITY)))
    return [(finding.cell, finding.message) for finding in findings if finding.code == "rebound-name"]


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", USES)], "GAIN"),
        ([("byoc", "GAIN = 1"), ("byoc", USES), ("", "GAIN += 1")], "GAIN"),
        ([("byoc", "GAIN = 1"), ("byoc", USES), ("", "for GAIN in (1, 2): pass")], "GAIN"),
        ([("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", f"TWICE = 2 * GAIN\n{PROCESS_FRAME}")], "GAIN"),
        ([("byoc", PROCESS_FRAME), ("", "def process_frame(frame): ...")], "process_frame"),
        ([("byoc", "from math import sin as GAIN"), ("byoc", USES), ("", "from math import cos as GAIN")], "GAIN"),
    ],
)
def test_a_name_that_the_notebook_binds_again(make, cells, name):
    number = next(number for number, (kind, source) in enumerate(cells, 1) if not kind and name in source)
    [(cell, message)] = rebound(make, *cells)
    assert cell == 1
    assert message.startswith(f"cell {number}")
    assert message.endswith(f", not tagged, binds {name} anew, and the bundle has the value of this cell")


@pytest.mark.parametrize(
    "cells",
    [
        [("", "GAIN = 2"), ("byoc", f"GAIN = 1\n{USES}")],
        [("byoc", f"GAIN = 1\n{USES}"), ("", "GAIN = 1")],
        [("byoc", f"import math as GAIN\n{USES}"), ("", "import math as GAIN")],
        [("byoc", f"for i in (1, 2): GAIN = i\n{USES}"), ("", "for i in range(9): print(i)")],
        [("byoc", f"def helper(x): return x\nGAIN = 1\n{USES}"), ("", "x = 3")],
        [("byoc", f"GAIN = 1\n{USES}"), ("", "def show():\n    GAIN = 2")],
        [("byoc", f"GAIN = 1\n{PROCESS_FRAME}"), ("", "GAIN = 2")],
    ],
)
def test_a_name_that_makes_no_difference(make, cells):
    assert rebound(make, *cells) == []


def test_the_parameters_that_papermill_puts_in_are_named():
    document = json.loads(notebook_json(("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", USES), ("byoc", CAPABILITY)))
    document["cells"][1]["metadata"] = {"tags": ["injected-parameters"]}
    [finding] = check_notebook(Analysis(parse_notebook(json.dumps(document).encode(), name="n.ipynb")))
    assert finding.message == "cell 2 (GAIN), papermill's, binds GAIN anew, and the bundle has the value of this cell"
